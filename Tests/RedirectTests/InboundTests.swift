// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Redirect
import TestSupport
import Testing

extension Redirecting {
    @Suite struct Inbound {
        /// How the application listens, and by which family it is called.
        struct Case: Sendable, CustomTestStringConvertible {
            let listenV6: Bool
            let callV6: Bool
            let fromNode: Bool
            var testDescription: String {
                "\(listenV6 ? "dual-stack" : "IPv4") listener called by IPv\(callV6 ? 6 : 4) from \(fromNode ? "the node" : "a pod")"
            }
        }

        static let cases = [false, true].flatMap { fromNode in
            [
                Case(listenV6: false, callV6: false, fromNode: fromNode),
                Case(listenV6: true, callV6: false, fromNode: fromNode),
                Case(listenV6: true, callV6: true, fromNode: fromNode),
            ]
        }

        @Test("the proxy takes the connection, the application sees its true client", arguments: cases)
        func captured(_ example: Case) throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let other = example.fromNode ? harness.network.node : try harness.network.addPod("other")
            let proxy = try harness.enrolWithProxy(pod)
            let listener = try pod.listen(8080, ipv6: example.listenV6)
            let destination = SocketAddress(example.callV6 ? pod.v6! : pod.v4!, 8080)
            let expected: Set<RedirectReason> = [
                .skippedNotEnrolled, .steeredInbound, .clientSet, .skippedTagged, .inboundSelf, .clientHandedOver,
            ]
            try harness.expectCounted(expected) {
                let client = try other.socket(ipv6: example.callV6)
                try client.connect(destination)
                let (served, peer) = try listener.accept()
                #expect(peer == client.localAddress)
                #expect(served.peerAddress == client.localAddress)
                #expect(served.localAddress == destination)
                #expect(client.peerAddress == destination)
                try client.write("ping")
                #expect(try served.read() == "ping")
                try served.write("pong")
                #expect(try client.read() == "pong")
                #expect(
                    proxy.accepted == [
                        .init(direction: .inbound, destination: destination, peer: client.localAddress)
                    ])
            }
        }

        @Test("two enrolled pods: each side of the connection is captured once")
        func bothSides() throws {
            let harness = try RedirectHarness()
            let (left, right) = (try harness.network.addPod("left"), try harness.network.addPod("right"))
            let leftProxy = try harness.enrolWithProxy(left)
            let rightProxy = try harness.enrolWithProxy(right)
            let listener = try right.listen(8080)
            let app = try left.socket()
            try app.connect(SocketAddress(right.v4!, 8080))
            let (served, peer) = try listener.accept()
            #expect(peer.ip == left.v4)
            try app.write("ping")
            #expect(try served.read() == "ping")
            #expect(leftProxy.accepted.map(\.direction) == [.outbound])
            #expect(rightProxy.accepted.map(\.direction) == [.inbound])
        }

        @Test("two agents on one machine, each with a pod, do not disturb each other")
        func twoAgents() throws {
            let harness = try RedirectHarness()
            let (left, right) = (try harness.network.addPod("left"), try harness.network.addPod("right"))
            let leftProxy = try harness.enrolWithProxy(left)
            var options = harness.options
            options.pinDirectory += "-b"
            let other = try Redirect(options)
            defer { try? other.close(leaveInPlace: false) }
            try other.setMeshedRanges(TestNetwork.meshedRanges)
            let enrolled = try other.enrol(
                PodRedirect(uid: right.name, networkNamespacePath: right.path, addresses: right.addresses))
            let rightProxy = try TestProxy(other, enrolled, right)
            let listener = try right.listen(8080)
            let app = try left.socket()
            try app.connect(SocketAddress(right.v4!, 8080))
            let (served, peer) = try listener.accept()
            #expect(peer.ip == left.v4)
            #expect(peer == rightProxy.accepted.first?.peer)
            try app.write("ping")
            #expect(try served.read() == "ping")
            #expect(leftProxy.accepted.map(\.direction) == [.outbound])
            #expect(rightProxy.accepted.map(\.direction) == [.inbound])
        }

        @Test("exempt ports reach the application directly")
        func exempt() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try harness.enrolWithProxy(pod, skipInbound: [9000...9001])
            let listener = try pod.listen(9001)
            try harness.expectCounted([.skippedNotEnrolled, .inboundExempt]) {
                let client = try harness.network.node.socket()
                try client.connect(SocketAddress(pod.v4!, 9001))
                #expect(try listener.accept().peer == client.localAddress)
            }
            #expect(proxy.accepted.isEmpty)
        }

        @Test("a port that no application listens at refuses in the ordinary way", arguments: [false, true])
        func noApplication(_ ipv6: Bool) throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try harness.enrolWithProxy(pod)
            try harness.expectCounted([.skippedNotEnrolled, .inboundUnlisted]) {
                let client = try harness.network.node.socket(ipv6: ipv6)
                #expect(throws: TestSocket.Failed(call: "connect", code: ECONNREFUSED)) {
                    try client.connect(SocketAddress(ipv6 ? pod.v6! : pod.v4!, 8081))
                }
            }
            #expect(proxy.accepted.isEmpty)
        }

        @Test("listeners from before enrolment count, and stop counting when they close")
        func listenersComeAndGo() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            var before: TestSocket? = try pod.listen(8080)
            var beforeTwin: TestSocket? = try pod.listen(8090, reusePort: true)
            let proxy = try harness.enrolWithProxy(pod)
            var twin: TestSocket? = try pod.listen(8090, reusePort: true)
            let node = harness.network.node
            func answers(_ port: UInt16) throws -> RedirectReason {
                let count = { try harness.count(.steeredInbound) }
                let earlier = try count()
                let client = try node.socket()
                try? client.connect(SocketAddress(pod.v4!, port))
                return try count() > earlier ? .steeredInbound : .inboundUnlisted
            }
            #expect(before != nil && twin != nil && beforeTwin != nil)
            #expect(try answers(8080) == .steeredInbound)
            #expect(try answers(8090) == .steeredInbound)
            before = nil
            #expect(try answers(8080) == .inboundUnlisted)
            twin = nil
            #expect(try answers(8090) == .steeredInbound, "one of two listeners is left")
            beforeTwin = nil
            #expect(try answers(8090) == .inboundUnlisted)
            // Enrolling again counts anew and must not count double.
            let late = try pod.listen(8100)
            _ = try harness.enrol(pod)
            #expect(try answers(8100) == .steeredInbound)
            _ = late.descriptor
            #expect(proxy.accepted.allSatisfy { $0.direction == .inbound })
        }

        @Test("our own listening ports cannot be dialled", arguments: [15001, 15006] as [UInt16])
        func ownPorts(_ port: UInt16) throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try harness.enrolWithProxy(pod)
            for (source, ip) in [
                (harness.network.node, pod.v4!), (harness.network.node, pod.v6!), (pod, pod.v4!),
                (pod, IPAddress.loopbackV4),
            ] {
                let client = try source.socket(ipv6: !ip.isV4)
                #expect(throws: TestSocket.Failed(call: "connect", code: ECONNREFUSED)) {
                    try client.connect(SocketAddress(ip, port))
                }
            }
            #expect(proxy.accepted.isEmpty)
            #expect(try harness.count(.droppedOwnPort) == 4)
        }

        @Test("a pod whose IPv6 is switched off is captured in both directions")
        func noIPv6() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app", .v4WithIPv6Disabled)
            let enrolled = try harness.enrol(pod)
            #expect(!enrolled.ipv6)
            let proxy = try TestProxy(harness.redirect, enrolled, pod, answer: "hello")
            let app = try pod.socket()
            try app.connect(Outbound.virtual)
            #expect(try app.read() == "hello")
            // By a socket that could do both.
            let mapped = try pod.socket(ipv6: true)
            try mapped.connect(Outbound.virtual)
            #expect(try mapped.read() == "hello")
            let listener = try pod.listen(8080)
            let client = try harness.network.node.socket()
            try client.connect(SocketAddress(pod.v4!, 8080))
            #expect(try listener.accept().peer == client.localAddress)
            #expect(proxy.accepted.count == 3)
            // IPv6 fails as it would without us.
            try harness.expectCounted([.skippedFamily]) {
                let other = try pod.socket(ipv6: true)
                #expect(throws: TestSocket.Failed.self) { try other.connect(Outbound.virtualV6) }
            }
        }

        @Test("what a brokered socket says of its client is taken only from a brokered socket")
        func clientAddress() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let enrolled = try harness.enrol(pod)
            let bytes = TestProxy.bytes(of: SocketAddress("192.0.2.1:1234")!)
            let stranger = try pod.socket()
            #expect(throws: TestSocket.Failed(call: "setsockopt", code: ENOPROTOOPT)) {
                try stranger.set(0x4150, 1, bytes: bytes)
            }
            let brokered = TestSocket(
                adopting: try harness.redirect.makeSockets(uid: pod.name, ipv6: false, count: 1)[0])
            #expect(throws: TestSocket.Failed(call: "setsockopt", code: EINVAL)) {
                try brokered.set(0x4150, 1, bytes: Array(bytes.prefix(19)))
            }
            try brokered.set(0x4150, 1, bytes: bytes)
            // Its own view of the peer stays true, the acceptor's is what it said.
            let listener = try pod.listen(8080)
            try brokered.bind(SocketAddress(pod.v4!, 0))
            try brokered.connect(SocketAddress(pod.v4!, 8080))
            #expect(brokered.peerAddress == SocketAddress(pod.v4!, 8080))
            let (served, peer) = try listener.accept()
            #expect(peer == SocketAddress("192.0.2.1:1234")!)
            #expect(served.peerAddress == peer)
            // The proxy reads tags without any privilege.
            var tag = [UInt32](repeating: 9, count: 4)
            var size = socklen_t(16)
            #expect(getsockopt(brokered.descriptor, 0x4150, 2, &tag, &size) == 0)
            #expect(tag == [2, enrolled.slot, 0, 0])
            #expect(getsockopt(enrolled.listeners[1].descriptor, 0x4150, 2, &tag, &size) == 0)
            #expect(tag == [1, enrolled.slot, 1, 0])
            #expect(throws: TestSocket.Failed(call: "getsockopt", code: EOPNOTSUPP)) {
                try stranger.get(0x4150, 2)
            }
        }

        @Test("a refused connection leaves no address behind for the next user of its port")
        func staleClient() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            _ = try harness.enrol(pod)
            func connect(standingFor client: SocketAddress?) throws {
                let made = try harness.redirect.makeSockets(uid: pod.name, ipv6: false, count: 1)
                let socket = TestSocket(adopting: made[0])
                try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
                if let client { try socket.set(0x4150, 1, bytes: TestProxy.bytes(of: client)) }
                try socket.bind(SocketAddress(pod.v4!, 40000))
                try socket.connect(SocketAddress(pod.v4!, 8080))
            }
            let stale = try harness.count(.clientStale)
            #expect(throws: TestSocket.Failed(call: "connect", code: ECONNREFUSED)) {
                try connect(standingFor: SocketAddress("192.0.2.1:1234")!)
            }
            #expect(try harness.count(.clientStale) == stale + 1)
            let listener = try pod.listen(8080)
            try connect(standingFor: nil)
            #expect(try listener.accept().peer == SocketAddress(pod.v4!, 40000))
        }
    }
}
