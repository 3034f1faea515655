// SPDX-License-Identifier: Apache-2.0

import Addresses
import Foundation
import Glibc
import Kernel
import Redirect
import TestSupport
import Testing

extension Redirecting {
    @Suite struct Lifecycle {
        /// The rule and table of bpf/abi/include/apus.h.
        static let delivery = MarkedDelivery(
            mark: 0x4150_0000, mask: 0xffff_0000, table: 16720, priority: 100)

        func rulesAndRoutes(in pod: TestNetwork.Pod) throws -> [Int] {
            try pod.run {
                var netlink = try Netlink(.route)
                let found = try netlink.count(Lifecycle.delivery)
                return [found.rules, found.routes]
            }
        }

        /// A namespace is gone when the other end of its veth is.
        func expectDead(_ pod: TestNetwork.Pod, in network: TestNetwork, interface: String) throws {
            let gone = try eventually {
                try !network.ip(in: network.node, "-br", "link").contains("\(interface)@")
            }
            #expect(gone, "somebody still holds the pod's namespace")
        }

        @Test("withdrawal leaves nothing behind, and lets the namespace die")
        func withdrawal() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let before = try MapCensus(harness.options.pinDirectory)
            let pinsBefore = try FileManager.default.contentsOfDirectory(atPath: harness.options.pinDirectory).sorted()
            let listener = try pod.listen(8080)
            _ = try harness.enrol(pod, skipInbound: [22...22, 1000...2000], skipOutbound: [25...25])
            #expect(try rulesAndRoutes(in: pod) == [2, 2])
            let during = try MapCensus(harness.options.pinDirectory)
            #expect(during != before)
            try harness.redirect.withdraw(uid: pod.name)
            #expect(try MapCensus(harness.options.pinDirectory) == before)
            let pins = try FileManager.default.contentsOfDirectory(atPath: harness.options.pinDirectory).sorted()
            #expect(pins == pinsBefore)
            #expect(try rulesAndRoutes(in: pod) == [0, 0])
            #expect(harness.redirect.uids.isEmpty)
            #expect(harness.messages.all.isEmpty)
            // The application is reached as if we had never been there.
            let client = try harness.network.node.socket()
            try client.connect(SocketAddress(pod.v4!, 8080))
            #expect(try listener.accept().peer == client.localAddress)
            try harness.redirect.withdraw(uid: pod.name)  // again: nothing to do
        }

        @Test("a withdrawn pod's namespace dies with its name; so does that of one enrolled until then")
        func namespaceDies() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            _ = try harness.enrol(pod)
            let sockets = try harness.redirect.makeSockets(uid: pod.name, ipv6: true, count: 4)
            for socket in sockets { close(socket) }
            try harness.network.remove(pod)
            #expect(try harness.network.ip(in: harness.network.node, "-br", "link").contains("p2@"))
            try harness.redirect.withdraw(uid: pod.name)
            try expectDead(pod, in: harness.network, interface: "p2")
            #expect(harness.messages.all.isEmpty)
        }

        @Test("closing takes everything off: pins, links, routes")
        func closing() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            _ = try harness.enrol(pod)
            // Seven in the cgroup, one in the pod; other agents of this machine have theirs elsewhere.
            let places = try [harness.options.cgroupPath, pod.path].map { try inode($0) }
            #expect(try linkCount(at: places) == 8)
            try harness.redirect.close(leaveInPlace: false)
            harness.kill()
            #expect(!FileManager.default.fileExists(atPath: harness.options.pinDirectory))
            #expect(try rulesAndRoutes(in: pod) == [0, 0])
            #expect(try eventually { try linkCount(at: places) == 0 })
        }

        /// How many BPF links are attached to the cgroups and namespaces with these inode numbers.
        func linkCount(at places: [Int]) throws -> Int {
            let text = try TestCommand.run("bpftool", "-j", "link", "show")
            let links = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]] ?? []
            return links.filter { link in
                places.contains { $0 == link["cgroup_id"] as? Int || $0 == link["netns_ino"] as? Int }
            }.count
        }

        func inode(_ path: String) throws -> Int {
            var status = stat()
            guard stat(path, &status) == 0 else { throw TestSocket.Failed(call: "stat", code: errno) }
            return Int(status.st_ino)
        }

        @Test("after a crash, the next agent finds the pod and takes its listeners back without losing a connection")
        func reAdoption() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let first = try harness.enrol(pod, skipOutbound: [25...25])
            // The proxy's own descriptors.
            let held = first.listeners.map { dup($0.descriptor) }
            defer { for number in held { close(number) } }
            harness.kill()
            // Interception goes on with nobody but the proxy: this one waits in its backlog.
            let queued = try pod.socket()
            try queued.connect(Outbound.virtual)
            let listener = try pod.listen(8080)

            try harness.start()
            #expect(harness.redirect.uids == [pod.name])
            let stranger = try pod.socket()
            let tags = try harness.redirect.adopt(listeners: held + [stranger.descriptor, 0])
            #expect(
                Set(tags) == [
                    Tag(kind: .listener, slot: first.slot, direction: .inbound),
                    Tag(kind: .listener, slot: first.slot, direction: .outbound),
                ])
            let second = try harness.enrol(pod, skipOutbound: [25...25])
            #expect(second.adopted)
            #expect(second.slot == first.slot)
            let proxy = try TestProxy(harness.redirect, second, pod, answer: "hello")
            #expect(try queued.read() == "hello")
            // Everything works on: outbound, inbound with a listener opened meanwhile, brokered sockets.
            let client = try harness.network.node.socket()
            try client.connect(SocketAddress(pod.v4!, 8080))
            #expect(try listener.accept().peer == client.localAddress)
            #expect(proxy.accepted.map(\.direction) == [.outbound, .inbound])
            #expect(try rulesAndRoutes(in: pod) == [2, 2])
            #expect(harness.messages.all.isEmpty)
        }

        @Test("after a crash of both, new listeners are made")
        func listenersGone() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let first = try harness.enrol(pod)
            harness.kill()
            try harness.start()
            let second = try harness.enrol(pod)
            #expect(!second.adopted)
            #expect(second.slot == first.slot)
            let proxy = try TestProxy(harness.redirect, second, pod, answer: "hello")
            let app = try pod.socket()
            try app.connect(Outbound.virtual)
            #expect(try app.read() == "hello")
            #expect(proxy.accepted.count == 1)
        }

        @Test("an agent stopped to be replaced leaves interception in place")
        func leaveInPlace() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let proxy = try TestProxy(harness.redirect, harness.enrol(pod), pod, answer: "hello")
            try harness.redirect.close(leaveInPlace: true)
            harness.kill()
            let app = try pod.socket()
            try app.connect(Outbound.virtual)
            #expect(try app.read() == "hello")
            #expect(proxy.accepted.count == 1)
            try harness.start()
        }

        @Test("pods that are no longer wanted are withdrawn after a restart, gone ones too")
        func withdrawOthers() throws {
            let harness = try RedirectHarness()
            let wanted = try harness.network.addPod("wanted")
            let unwanted = try harness.network.addPod("unwanted")
            let dead = try harness.network.addPod("dead")
            for pod in [wanted, unwanted, dead] { _ = try harness.enrol(pod) }
            harness.kill()
            try harness.network.remove(dead)
            try harness.start()
            #expect(harness.redirect.uids == [wanted.name, unwanted.name, dead.name])
            try harness.redirect.withdrawAllExcept([wanted.name])
            #expect(harness.redirect.uids == [wanted.name])
            #expect(try rulesAndRoutes(in: wanted) == [2, 2])
            #expect(try rulesAndRoutes(in: unwanted) == [0, 0])
            try expectDead(dead, in: harness.network, interface: "p4")
        }

        @Test("a slot's next pod inherits nothing")
        func slotReuse() throws {
            let harness = try RedirectHarness()
            let first = try harness.network.addPod("first")
            let second = try harness.network.addPod("second")
            let one = try harness.enrol(first, skipInbound: [8080...8080], skipOutbound: [8080...8080])
            let listener = try first.listen(8080)
            try harness.redirect.withdraw(uid: first.name)
            let two = try harness.enrol(second)
            #expect(two.slot == one.slot)
            let proxy = try TestProxy(harness.redirect, two, second, answer: "hello")
            let app = try second.socket()
            try app.connect(Outbound.virtual)
            #expect(try app.read() == "hello")
            let client = try harness.network.node.socket()
            try harness.expectCounted([.skippedNotEnrolled, .inboundUnlisted]) {
                #expect(throws: TestSocket.Failed(call: "connect", code: ECONNREFUSED)) {
                    try client.connect(SocketAddress(second.v4!, 8080))
                }
            }
            #expect(proxy.accepted.count == 1)
            _ = listener.descriptor
        }

        @Test("enrolling again changes what differs and keeps the listeners")
        func again() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let first = try harness.enrol(pod, skipOutbound: [8080...8080])
            let second = try harness.enrol(pod, skipOutbound: [9090...9090])
            #expect(second.slot == first.slot)
            #expect(second.listeners == first.listeners)
            #expect(second.adopted)
            #expect(try rulesAndRoutes(in: pod) == [2, 2])
            let proxy = try TestProxy(harness.redirect, second, pod, answer: "hello")
            let app = try pod.socket()
            try app.connect(Outbound.virtual)
            #expect(try app.read() == "hello")
            #expect(proxy.accepted.count == 1)
        }

        @Test("a pod whose sandbox was made anew is enrolled in the new one")
        func newSandbox() throws {
            let harness = try RedirectHarness()
            let old = try harness.network.addPod("old")
            let new = try harness.network.addPod("new")
            _ = try harness.enrol(old, uid: "web-0")
            let enrolled = try harness.enrol(new, uid: "web-0")
            #expect(try rulesAndRoutes(in: old) == [0, 0])
            #expect(try rulesAndRoutes(in: new) == [2, 2])
            #expect(harness.redirect.uids == ["web-0"])
            // And the same sandbox under another name.
            let renamed = try harness.enrol(new, uid: "web-1")
            #expect(renamed.slot == enrolled.slot)
            #expect(harness.redirect.uids == ["web-1"])
        }

        @Test("connections that are open at enrolment go on as they were")
        func openConnections() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let (far, near) = (try harness.network.node.listen(8080), try pod.listen(8081))
            let out = try pod.socket()
            try out.connect(SocketAddress(TestNetwork.gateway, 8080))
            let into = try harness.network.node.socket()
            try into.connect(SocketAddress(pod.v4!, 8081))
            let pairs = [(out, try far.accept().socket), (into, try near.accept().socket)]
            let proxy = try harness.enrolWithProxy(pod)
            for (client, server) in pairs {
                try client.write("ping")
                #expect(try server.read() == "ping")
                try server.write("pong")
                #expect(try client.read() == "pong")
                #expect(server.peerAddress == client.localAddress)
            }
            #expect(proxy.accepted.isEmpty)
        }

        @Test("a listener that nobody saw open or close is counted, and gone after a recount")
        func unseenListener() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            try harness.redirect.close(leaveInPlace: false)
            harness.kill()
            var listener: TestSocket? = try pod.listen(8080)
            try harness.start()
            let enrolled = try harness.enrol(pod)
            let address = SocketAddress(pod.v4!, 8080)
            try harness.expectCounted([.skippedNotEnrolled, .steeredInbound]) {
                try harness.network.node.socket().connect(address)
            }
            #expect(listener != nil)
            listener = nil
            try harness.redirect.recountPorts(uid: pod.name)
            try harness.expectCounted([.skippedNotEnrolled, .inboundUnlisted]) {
                #expect(throws: TestSocket.Failed(call: "connect", code: ECONNREFUSED)) {
                    try harness.network.node.socket().connect(address)
                }
            }
            #expect(enrolled.listeners.count == 2)
        }

        @Test("an enrolment that fails leaves nothing")
        func failure() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            let before = try MapCensus(harness.options.pinDirectory)
            let squatter = try pod.listen(15006)
            let error = #expect(throws: RedirectError.self) { try harness.enrol(pod) }
            #expect("\(error!)".contains("15006"))
            #expect(try MapCensus(harness.options.pinDirectory) == before)
            #expect(try rulesAndRoutes(in: pod) == [0, 0])
            _ = squatter.descriptor
            #expect(throws: RedirectError.self) {
                try harness.redirect.enrol(
                    PodRedirect(uid: "x", networkNamespacePath: "/run/netns/none", addresses: [pod.v4!]))
            }
            #expect(throws: RedirectError.self) {
                try harness.redirect.enrol(PodRedirect(uid: "x", networkNamespacePath: pod.path, addresses: []))
            }
            #expect(harness.redirect.uids.isEmpty)
        }

        @Test("state of another version is taken off and the pods are enrolled anew")
        func foreignState() throws {
            let harness = try RedirectHarness()
            let pod = try harness.network.addPod("app")
            _ = try harness.enrol(pod)
            harness.kill()
            // A map of another layout under the same name.
            let meta = "\(harness.options.pinDirectory)/meta"
            unlink(meta)
            try TestCommand.run(
                "bpftool", "map", "create", meta, "type", "array", "key", "4", "value", "64", "entries", "1", "name",
                "meta")
            try harness.start()
            #expect(harness.messages.all.contains { $0.contains("another version") })
            #expect(harness.redirect.uids.isEmpty)
            let proxy = try TestProxy(harness.redirect, harness.enrol(pod), pod, answer: "hello")
            let app = try pod.socket()
            try app.connect(Outbound.virtual)
            #expect(try app.read() == "hello")
            #expect(proxy.accepted.count == 1)
            #expect(try rulesAndRoutes(in: pod) == [2, 2])
        }

        @Test("an agent in the root cgroup makes itself one of its own and leaves it")
        func agentCgroup() throws {
            let harness = try RedirectHarness()
            try harness.redirect.close(leaveInPlace: false)
            harness.kill()
            let root = TestLeftovers.cgroupRoot
            try TestCommand.run("sh", "-c", "echo \(getpid()) > \(root)/cgroup.procs")
            var options = harness.options
            options.agentCgroupPath = nil
            let redirect = try Redirect(options)
            let name = harness.options.pinDirectory.split(separator: "/").last!
            #expect(redirect.agentCgroupPath == "\(root)/apus-agent-\(name)")
            let current = try String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)
            #expect(current.contains("0::/apus-agent-\(name)\n"))

            // Sockets made out here stand for clients of applications in there.
            let pod = try harness.network.addPod("app")
            _ = try redirect.enrol(
                PodRedirect(uid: pod.name, networkNamespacePath: pod.path, addresses: pod.addresses))
            let brokered = TestSocket(adopting: try redirect.makeSockets(uid: pod.name, ipv6: false, count: 1)[0])
            let client = SocketAddress("192.0.2.1:1234")!
            try TestCommand.run("sh", "-c", "echo \(getpid()) > \(harness.options.cgroupPath)/cgroup.procs")
            let listener = try pod.listen(8080)
            try TestCommand.run("sh", "-c", "echo \(getpid()) > \(redirect.agentCgroupPath)/cgroup.procs")
            try brokered.set(0x4150, 1, bytes: TestProxy.bytes(of: client))
            try brokered.bind(SocketAddress(pod.v4!, 0))
            try brokered.connect(SocketAddress(pod.v4!, 8080))
            #expect(try listener.accept().peer == client)
            try redirect.close(leaveInPlace: false)
            #expect(!FileManager.default.fileExists(atPath: "\(root)/apus-agent-\(name)"))
        }
    }
}

/// How many keys each pinned hash has, and which slots are taken.
struct MapCensus: Equatable {
    let counts: [String: Int]

    init(_ directory: String) throws {
        var counts: [String: Int] = [:]
        for name in ["pods", "addresses", "exempt", "ports", "counted", "handover", "listeners", "slots"] {
            let text = try TestCommand.run("bpftool", "-j", "map", "dump", "pinned", "\(directory)/\(name)")
            let entries = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]] ?? []
            counts[name] =
                entries.filter { entry in
                    // Arrays list every index: count those with something in them.
                    if name == "listeners" { return (entry["value"] as? [String: Any])?["error"] == nil }
                    if name == "slots" { return (entry["value"] as? [String])?.contains { $0 != "0x00" } ?? true }
                    return true
                }.count
        }
        self.counts = counts
    }
}
