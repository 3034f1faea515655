// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import Routing
import Testing

@Suite struct RouteTableTests {
    static let address = IPAddress(v4: 0x0a60_000a)
    static let state = NodeState(
        node: "n", meshedRanges: [IPPrefix("10.0.0.0/8")].compactMap { $0 },
        pods: [
            LocalPod(
                workload: Workload(uid: "a", namespace: "x", name: "a", addresses: [IPAddress(v4: 0x0af4_0105)]),
                networkNamespacePath: "")
        ],
        workloads: [Workload(uid: "b", namespace: "x", name: "b", addresses: [IPAddress(v4: 0x0af4_0207)])],
        services: [
            Service(
                namespace: "x", name: "s", addresses: [address],
                ports: [
                    Service.Port(port: 80, endpoints: [Endpoint(SocketAddress(IPAddress(v4: 0x0af4_0105), 8080))]),
                    Service.Port(port: 25, opaque: true, endpoints: []),
                ])
        ])

    @Test("service ports lead to their endpoints, other ports of the address nowhere")
    func services() throws {
        let table = RouteTable(Self.state)
        let route = try #require(table.route(to: SocketAddress(Self.address, 80)))
        #expect(route.service == StableID(of: "x/s") && !route.isOpaque && route.endpoints.count == 1)
        #expect(table.route(to: SocketAddress(Self.address, 25))?.isOpaque == true)
        #expect(table.route(to: SocketAddress(Self.address, 81)) == nil && table.isVirtual(Self.address))
    }

    @Test("peers are known by address, and whether they are here")
    func peers() {
        let table = RouteTable(Self.state)
        let pod = table.peer(at: IPAddress(v4: 0x0af4_0105))
        #expect(pod?.id == StableID(of: "a") && pod?.isLocal == true)
        #expect(table.peer(at: IPAddress(v4: 0x0af4_0207))?.isLocal == false)
        #expect(table.peer(at: .loopbackV4) == nil)
        #expect(table.isMeshed(IPAddress(v4: 0x0a01_0203)) && !table.isMeshed(IPAddress(v4: 0x0b01_0203)))
    }

    @Test("inbound policies", arguments: InboundPolicy.allCases)
    func policies(policy: InboundPolicy) {
        let answers = [(true, true), (false, true), (false, false)].map {
            policy.allows(isIdentified: $0.0, isInCluster: $0.1)
        }
        switch policy {
        case .allUnauthenticated: #expect(answers == [true, true, true])
        case .clusterUnauthenticated: #expect(answers == [true, true, false])
        case .allAuthenticated: #expect(answers == [true, false, false])
        case .deny: #expect(answers == [false, false, false])
        }
    }
}
