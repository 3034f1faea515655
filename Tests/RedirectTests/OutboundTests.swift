// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Redirect
import TestSupport
import Testing

extension Redirecting {
    @Suite struct Outbound {
        /// A destination that nobody has: only capture can make connecting to it succeed.
        static let virtual = SocketAddress("10.99.200.1:8080")!
        static let virtualV6 = SocketAddress("[fd99:0:c8::1]:8080")!

        @Test(
            "the proxy sees the true destination, the application sees no difference",
            arguments: [
                (virtual, false), (virtual, true), (virtualV6, true),
            ])
        func destination(_ destination: SocketAddress, _ ipv6Socket: Bool) throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try TestProxy(harness.redirect, harness.enrol(pod), pod, answer: "hello")
            try harness.expectCounted([.redirected, .steeredOutbound]) {
                let app = try pod.socket(ipv6: ipv6Socket)
                try app.connect(destination)
                #expect(try app.read() == "hello")
                #expect(app.peerAddress == destination)
                #expect(app.localAddress.ip == (destination.ip.isV4 ? pod.v4 : pod.v6))
                #expect(
                    proxy.accepted == [.init(direction: .outbound, destination: destination, peer: app.localAddress)])
            }
        }

        @Test(
            "strict settings of the pod's network do no harm",
            arguments: [
                "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.eth0.rp_filter=1", "net.ipv4.conf.lo.rp_filter=1",
                "net.ipv4.tcp_fwmark_accept=1", "net.ipv4.fwmark_reflect=1", "net.ipv6.fwmark_reflect=1",
                "net.ipv4.conf.all.src_valid_mark=1", "net.ipv4.tcp_early_demux=0", "net.ipv4.tcp_syncookies=2",
            ])
        func settings(_ setting: String) throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            try TestCommand.run("ip", "netns", "exec", pod.name, "sysctl", "-qw", setting)
            let proxy = try TestProxy(harness.redirect, harness.enrol(pod), pod, answer: "hello")
            for destination in [Outbound.virtual, Outbound.virtualV6] {
                let app = try pod.socket(ipv6: !destination.ip.isV4)
                try app.connect(destination)
                #expect(try app.read() == "hello")
            }
            let listener = try pod.listen(8080, ipv6: true)
            for ip in pod.addresses {
                let client = try harness.network.node.socket(ipv6: !ip.isV4)
                try client.connect(SocketAddress(ip, 8080))
                #expect(try listener.accept().peer == client.localAddress)
            }
            #expect(proxy.accepted.count == 4)
        }

        @Test("bytes go through to another pod and back, both families")
        func relayed() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let other = try harness.network.addPod("other")
            let proxy = try harness.enrolWithProxy(pod)
            let listener = try other.listen(8080, ipv6: true)
            for (ip, source) in [(other.v4!, pod.v4!), (other.v6!, pod.v6!)] {
                let app = try pod.socket(ipv6: !ip.isV4)
                try app.connect(SocketAddress(ip, 8080))
                try app.write("ping")
                let (served, peer) = try listener.accept()
                #expect(peer.ip == source)
                #expect(try served.read() == "ping")
                try served.write("pong")
                #expect(try app.read() == "pong")
                try app.shutdownWriting()
                #expect(try served.read() == "")
            }
            #expect(proxy.accepted.count == 2)
        }

        @Test("a source address and port chosen by bind() are kept")
        func bindBeforeConnect() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try TestProxy(harness.redirect, harness.enrol(pod), pod, answer: "hello")
            let app = try pod.socket()
            try app.bind(SocketAddress(pod.v4!, 45678))
            try app.connect(Outbound.virtual)
            #expect(try app.read() == "hello")
            #expect(proxy.accepted.first?.peer == SocketAddress(pod.v4!, 45678))
        }

        @Test("a socket bound to a device is captured all the same")
        func bindToDevice() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try TestProxy(harness.redirect, harness.enrol(pod), pod, answer: "hello")
            try harness.expectCounted([.redirected, .steeredOutbound, .deviceCleared]) {
                let app = try pod.socket()
                try app.set(SOL_SOCKET, SO_BINDTODEVICE, bytes: Array("eth0\0".utf8))
                try app.connect(Outbound.virtual)
                #expect(try app.read() == "hello")
            }
            #expect(proxy.accepted.count == 1)
        }

        @Test("MSG_FASTOPEN connects through the proxy")
        func fastOpen() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let other = try harness.network.addPod("other")
            let proxy = try harness.enrolWithProxy(pod)
            let listener = try other.listen(8080)
            let app = try pod.socket()
            try app.sendFastOpen("quick", to: SocketAddress(other.v4!, 8080))
            #expect(try listener.accept().socket.read() == "quick")
            #expect(proxy.accepted.map(\.destination) == [SocketAddress(other.v4!, 8080)])
        }

        @Test("ports to be skipped are, exactly")
        func skippedPorts() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try TestProxy(
                harness.redirect, harness.enrol(pod, skipOutbound: [443...443, 8000...8010, 65535...65535]), pod,
                answer: "hello")
            let captured: [UInt16] = [442, 444, 7999, 8011, 65534]
            for port in [443, 8000, 8001, 8009, 8010, 65535] as [UInt16] {
                let listener = try harness.network.node.listen(port)
                try harness.expectCounted([.skippedPort]) {
                    let app = try pod.socket()
                    try app.connect(SocketAddress(TestNetwork.gateway, port))
                    _ = try listener.accept()
                }
            }
            #expect(proxy.accepted.isEmpty)
            for port in captured {
                let app = try pod.socket()
                try app.connect(SocketAddress(TestNetwork.gateway, port))
                #expect(try app.read() == "hello")
            }
            #expect(proxy.accepted.map(\.destination.port) == captured)
        }

        @Test(
            "destinations outside the meshed ranges keep their own way",
            arguments: [
                TestNetwork.outside, TestNetwork.outsideV6,
            ])
        func outsideRanges(_ ip: IPAddress) throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try harness.enrolWithProxy(pod)
            let listener = try harness.network.node.listen(8080, ipv6: true)
            try harness.expectCounted([.skippedRange]) {
                let app = try pod.socket(ipv6: !ip.isV4)
                try app.connect(SocketAddress(ip, 8080))
                #expect(try listener.accept().peer == app.localAddress)
            }
            #expect(proxy.accepted.isEmpty)
        }

        @Test("loopback is left alone", arguments: [IPAddress.loopbackV4, .loopbackV6, .anyV4])
        func loopback(_ ip: IPAddress) throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try harness.enrolWithProxy(pod)
            let listener = try pod.listen(8080, ipv6: true)
            try harness.expectCounted([.skippedLoopback, .inboundLoopback]) {
                let app = try pod.socket(ipv6: !ip.isV4)
                try app.connect(SocketAddress(ip, 8080))
                _ = try listener.accept()
            }
            #expect(proxy.accepted.isEmpty)
        }

        @Test("a pod that calls itself by its own address does not meet the proxy")
        func selfCall() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try harness.enrolWithProxy(pod)
            let listener = try pod.listen(8080, ipv6: true)
            for ip in pod.addresses {
                try harness.expectCounted([.skippedSelf, .inboundSelf]) {
                    let app = try pod.socket(ipv6: !ip.isV4)
                    try app.connect(SocketAddress(ip, 8080))
                    #expect(try listener.accept().peer == app.localAddress)
                }
            }
            #expect(proxy.accepted.isEmpty)
        }

        @Test("an address that the pod put on lo is its own, even if nobody told us")
        func addressOnLoopback() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            try harness.network.ip(in: pod, "addr", "add", "192.0.2.7/32", "dev", "lo")
            let proxy = try harness.enrolWithProxy(pod)
            let listener = try pod.listen(8080)
            // The same by eth0, where a packet from the pod to itself does not come in by lo.
            try harness.network.ip(in: pod, "addr", "add", "10.99.0.77/32", "dev", "eth0")
            try harness.expectCounted([.skippedRange, .inboundSelf]) {
                let app = try pod.socket()
                try app.connect(SocketAddress("192.0.2.7:8080")!)
                _ = try listener.accept()
            }
            // Called from outside at an address we were not told of: one hop through the proxy, no loop.
            let client = try harness.network.node.socket()
            try client.connect(SocketAddress("10.99.0.77:8080")!)
            #expect(try listener.accept().peer == client.localAddress)
            #expect(proxy.accepted.map(\.direction) == [.inbound])
        }

        @Test("marks that the pod sets itself neither bypass nor break")
        func ownMarks() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try TestProxy(harness.redirect, harness.enrol(pod), pod, answer: "hello")
            // Our bypass mark, our capture mark, one of its own: captured, and its own half stays.
            for mark: UInt32 in [0x4151_0000, 0x4150_0000, 0x7] {
                let app = try pod.socket()
                try app.set(SOL_SOCKET, SO_MARK, CInt(bitPattern: mark))
                try app.connect(Outbound.virtual)
                #expect(try app.read() == "hello")
                #expect(try app.get(SOL_SOCKET, SO_MARK) == CInt(bitPattern: 0x4150_0000 | mark & 0xffff))
            }
            #expect(proxy.accepted.count == 3)
            // Our capture mark towards an address that is not captured: it goes where it was sent.
            let listener = try harness.network.node.listen(8080)
            try harness.expectCounted([.skippedRange, .markCleared]) {
                let app = try pod.socket()
                try app.set(SOL_SOCKET, SO_MARK, 0x4150_0003)
                try app.connect(SocketAddress(TestNetwork.outside, 8080))
                #expect(try listener.accept().peer == app.localAddress)
                #expect(try app.get(SOL_SOCKET, SO_MARK) == 3)
            }
        }

        @Test("brokered sockets pass, whatever they connect to")
        func brokered() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let enrolled = try harness.enrol(pod)
            let listener = try harness.network.node.listen(8080, ipv6: true)
            let made = try harness.redirect.makeSockets(uid: pod.name, ipv6: false, count: 3)
            #expect(made.count == 3)
            for number in made {
                #expect(harness.redirect.tag(of: number) == Tag(kind: .broker, slot: enrolled.slot))
                let flags = fcntl(number, F_GETFL)
                #expect(flags & O_NONBLOCK != 0)
                #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
                let socket = TestSocket(adopting: number)
                #expect(try socket.get(CInt(IPPROTO_TCP), TCP_NODELAY) == 1)
                try harness.expectCounted([.skippedTagged]) {
                    try socket.connect(SocketAddress(TestNetwork.gateway, 8080))
                    #expect(try listener.accept().peer.ip == pod.v4)
                }
            }
        }

        @Test("pods that are not enrolled and UDP are left alone")
        func others() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let stranger = try harness.network.addPod("stranger")
            let proxy = try harness.enrolWithProxy(pod)
            let listener = try harness.network.node.listen(8080)
            try harness.expectCounted([.skippedNotEnrolled]) {
                let app = try stranger.socket()
                try app.connect(SocketAddress(TestNetwork.gateway, 8080))
                _ = try listener.accept()
            }
            try harness.expectCounted([.skippedNotTCP]) {
                let status = try pod.run {
                    let number = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
                    defer { close(number) }
                    let socket = TestSocket(adopting: dup(number))
                    try socket.connect(SocketAddress(TestNetwork.gateway, 53))
                    return try socket.get(SOL_SOCKET, SO_MARK)
                }
                #expect(status == 0)
            }
            #expect(proxy.accepted.isEmpty)
        }
    }
}
