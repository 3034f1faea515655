// SPDX-License-Identifier: Apache-2.0

import Addresses
import Redirect
import TestSupport
import Testing

extension Redirecting {
    @Suite struct Statistics {
        @Test("the kernel tells of each connection that ends, from our side of it")
        func captured() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let other = try harness.network.addPod("other")
            let enrolled = try harness.enrol(pod)
            var told: [ConnectionStatistics] = []
            try talk(harness, enrolled, pod, other)
            let complete = try eventually {
                try harness.redirect.drainStatistics { told.append($0) }
                return told.count >= 4
            }
            #expect(complete)
            #expect(told.allSatisfy { $0.slot == enrolled.slot && $0.retransmits == 0 })
            let outbound = told.filter { $0.direction == .outbound && $0.kind == .broker }
            #expect(outbound.count == 1)
            #expect(outbound.first?.remote == SocketAddress(other.v4!, 8080))
            #expect(outbound.first?.bytesAcked == 6)  // four, SYN and FIN
            #expect(outbound.first?.bytesReceived == 7)  // six and FIN
            #expect(outbound.first.map { $0.smoothedRoundTripMicroseconds > 0 } == true)
            #expect(outbound.first.map { $0.minimumRoundTripMicroseconds > 0 } == true)
            #expect(told.filter { $0.direction == .outbound && $0.kind == .listener }.count == 1)
            #expect(told.filter { $0.direction == .inbound && $0.kind == .broker }.count == 1)
            let inbound = told.filter { $0.direction == .inbound && $0.kind == .listener }
            #expect(inbound.first?.local == SocketAddress(pod.v4!, 8081))
            #expect(told.filter { $0.kind == nil }.isEmpty, "the application's ends would tell the same again")
        }

        /// One connection out and one in, ended before this returns.
        private func talk(
            _ harness: RedirectHarness, _ enrolled: Enrolled, _ pod: TestNetwork.Pod, _ other: TestNetwork.Pod
        ) throws {
            let proxy = try TestProxy(harness.redirect, enrolled, pod)
            for (source, target, port) in [(pod, other, 8080), (other, pod, 8081)]
                as [(TestNetwork.Pod, TestNetwork.Pod, UInt16)]
            {
                let listener = try target.listen(port)
                let client = try source.socket()
                try client.connect(SocketAddress(target.v4!, port))
                try client.write("ping")
                let served = try listener.accept().socket
                #expect(try served.read() == "ping")
                try served.write("answer")
                #expect(try client.read() == "answer")
                try client.shutdownWriting()
                #expect(try served.read() == "")
                try served.shutdownWriting()
                #expect(try client.read() == "")
            }
            #expect(proxy.accepted.count == 2)
        }

        @Test("connections that are not captured are told by the application's own socket")
        func notCaptured() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let enrolled = try harness.enrol(pod, skipInbound: [9000...9000])
            let outside = try harness.network.node.listen(8080)
            let exempt = try pod.listen(9000)
            let targets = [
                (pod, SocketAddress(TestNetwork.outside, 8080), outside),
                (harness.network.node, SocketAddress(pod.v4!, 9000), exempt),
            ]
            for (source, address, listener) in targets {
                let client = try source.socket()
                try client.connect(address)
                try client.write("ping")
                #expect(try listener.accept().socket.read() == "ping")
            }
            var told: [ConnectionStatistics] = []
            let complete = try eventually {
                try harness.redirect.drainStatistics { told.append($0) }
                return told.count >= 2
            }
            #expect(complete)
            #expect(told.allSatisfy { $0.kind == nil && $0.slot == enrolled.slot })
            #expect(Set(told.map(\.direction)) == [.outbound, .inbound])
            #expect(told.first { $0.direction == .outbound }?.bytesAcked ?? 0 >= 5)
            #expect(told.first { $0.direction == .inbound }?.bytesReceived ?? 0 >= 4)
        }

        @Test("there is a counter for every reason, once")
        func counters() throws {
            let harness = try RedirectHarness()
            let reasons = try harness.redirect.counters().map(\.reason)
            #expect(Set(reasons).count == reasons.count)
            #expect(reasons.count == RedirectReason.allCases.count)
        }
    }
}
