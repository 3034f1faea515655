// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Redirect
import TestSupport
import Testing

extension Redirecting {
    /// Nobody listens: the agent was killed and no proxy holds its listeners.
    @Suite struct Refusal {
        @Test("connections from the pod are refused at once", arguments: [Outbound.virtual, Outbound.virtualV6])
        func outbound(_ destination: SocketAddress) throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            _ = try harness.enrol(pod)
            harness.kill()
            let app = try pod.socket(ipv6: !destination.ip.isV4)
            let start = ContinuousClock.now
            #expect(throws: TestSocket.Failed(call: "connect", code: ECONNREFUSED)) { try app.connect(destination) }
            #expect(ContinuousClock.now - start < .milliseconds(200))
            // A fixed outcome for the same socket, once there is a proxy again.
            try harness.start()
            #expect(try harness.count(.refusedNoListener) == 1)
            let proxy = try TestProxy(harness.redirect, harness.enrol(pod), pod, answer: "hello")
            try app.connect(destination)
            #expect(try app.read() == "hello")
            #expect(proxy.accepted.count == 1)
        }

        @Test("connections to the pod are refused at once", arguments: [false, true])
        func inbound(_ ipv6: Bool) throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let listener = try pod.listen(8080, ipv6: true)
            _ = try harness.enrol(pod)
            harness.kill()
            let client = try harness.network.node.socket(ipv6: ipv6)
            let start = ContinuousClock.now
            #expect(throws: TestSocket.Failed(call: "connect", code: ECONNREFUSED)) {
                try client.connect(SocketAddress(ipv6 ? pod.v6! : pod.v4!, 8080))
            }
            #expect(ContinuousClock.now - start < .milliseconds(200))
            try harness.start()
            #expect(try harness.count(.droppedNoListener) == 1)
            _ = listener.descriptor
        }

        @Test("a pod that fails open is reached and reaches others without us")
        func failOpen() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let listener = try pod.listen(8080, ipv6: true)
            let outside = try harness.network.node.listen(8081, ipv6: true)
            _ = try harness.enrol(pod, failOpen: true)
            harness.kill()
            for ipv6 in [false, true] {
                let client = try harness.network.node.socket(ipv6: ipv6)
                try client.connect(SocketAddress(ipv6 ? pod.v6! : pod.v4!, 8080))
                #expect(try listener.accept().peer == client.localAddress)
                let app = try pod.socket(ipv6: ipv6)
                try app.connect(SocketAddress(ipv6 ? TestNetwork.gatewayV6 : TestNetwork.gateway, 8081))
                #expect(try outside.accept().peer == app.localAddress)
            }
            try harness.start()
            #expect(try harness.count(.skippedFailOpen) == 2)
            #expect(try harness.count(.inboundFailOpen) == 2)
        }

        @Test("with a pod's IPv6 route impossible, its IPv6 is refused, not let past")
        func impossibleRoute() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app", .v4WithIPv6Disabled)
            let enrolled = try harness.redirect.enrol(
                PodRedirect(
                    uid: pod.name, networkNamespacePath: pod.path, addresses: [pod.v4!, IPAddress("fd99::77")!]))
            #expect(!enrolled.ipv6)
            #expect(harness.messages.all.contains { $0.contains("IPv6 is refused") })
            try harness.expectCounted([.refusedNoListener]) {
                let app = try pod.socket(ipv6: true)
                #expect(throws: TestSocket.Failed(call: "connect", code: ECONNREFUSED)) {
                    try app.connect(Outbound.virtualV6)
                }
            }
        }
    }
}
