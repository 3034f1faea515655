// SPDX-License-Identifier: Apache-2.0

import Addresses
import Foundation
import Glibc
import Kernel
import Logging
import Model
import ProxyLink
import Synchronization
import Telemetry
import Testing

@testable import Agent

@Suite("Reconciler")
struct ReconcilerTests {
    let journal = Journal()
    let clock = TestClock()
    let counts = AgentCounts()
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A file that stands for a namespace: only its inode is looked at.
    func pod(_ name: String, address: String, limit: Int = 10) -> LocalPod {
        let path = "\(directory.path)/\(name)"
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        return LocalPod(
            workload: .init(uid: name, namespace: "n", name: name, addresses: [IPAddress(address)!]),
            networkNamespacePath: path, connectionLimit: limit)
    }

    func reconciler(broken: Set<String> = []) async throws -> (Reconciler, FakeInterceptionBox) {
        let box = FakeInterceptionBox(journal, broken)
        let clock = clock
        let reconciler = Reconciler(
            store: TelemetryStore(clock: { clock.now }), counts: counts, log: .silent, clock: { clock.now }
        ) { box.make() }
        try await reconciler.open()
        return (reconciler, box)
    }

    @Test("pods are enrolled after the proxy knows them; the same state again does nothing")
    func idempotent() async throws {
        let (reconciler, _) = try await reconciler()
        let link = FakeLink(workers: 2)
        await reconciler.linkUp(link)
        #expect(await reconciler.obstacles() == ["no configuration has been read"])
        let web = pod("web", address: "10.244.1.5")
        let state = NodeState(node: "x", pods: [web])
        await reconciler.apply(state)
        #expect(journal.lines.prefix(3) == ["ranges 0", "withdraw all but [\"web\"]", "enrol web"])
        let id = web.workload.id
        #expect(
            link.messages == [
                .configuration(version: 1), .listener(pod: id, slot: 0, direction: .inbound),
                .listener(pod: id, slot: 0, direction: .outbound), .sockets(pod: id, ipv6: false, worker: 0),
                .sockets(pod: id, ipv6: false, worker: 1),
            ])
        #expect(await !reconciler.obstacles().isEmpty)
        await reconciler.applied(version: 1)
        #expect(await reconciler.obstacles().isEmpty)

        journal.clear()
        link.clear()
        await reconciler.apply(state)
        #expect(journal.lines.isEmpty)
        #expect(link.messages == [.configuration(version: 2)])
    }

    @Test("a pod that is gone is released by the kernel before the proxy forgets it")
    func withdrawal() async throws {
        let (reconciler, _) = try await reconciler()
        let link = FakeLink()
        await reconciler.linkUp(link)
        let web = pod("web", address: "10.244.1.5")
        await reconciler.apply(NodeState(node: "x", pods: [web]))
        link.clear()
        await reconciler.apply(NodeState(node: "x"))
        #expect(journal.lines.last == "withdraw web")
        #expect(link.messages == [.withdraw(pod: web.workload.id), .configuration(version: 2)])
        #expect(await reconciler.pods().isEmpty)
    }

    @Test("a pod that cannot be enrolled is reported, holds nobody up, and is tried again")
    func retry() async throws {
        let (reconciler, box) = try await reconciler(broken: ["bad"])
        let link = FakeLink()
        await reconciler.linkUp(link)
        await reconciler.apply(
            NodeState(node: "x", pods: [pod("bad", address: "10.244.1.4"), pod("web", address: "10.244.1.5")]))
        await reconciler.applied(version: 1)
        #expect(await reconciler.obstacles().isEmpty, "reported is enough to be ready")
        #expect(await reconciler.pods().map(\.reason) == ["the namespace is broken", nil])
        box.mend()
        await reconciler.tick()
        #expect(await reconciler.pods().first?.isEnrolled == false, "not before its time")
        clock.now = 1.5
        await reconciler.tick()
        #expect(await reconciler.pods().allSatisfy(\.isEnrolled))
    }

    @Test("a namespace that was replaced under the same path is enrolled anew")
    func replacedNamespace() async throws {
        let (reconciler, _) = try await reconciler()
        let web = pod("web", address: "10.244.1.5")
        await reconciler.apply(NodeState(node: "x", pods: [web]))
        journal.clear()
        await reconciler.tick()
        #expect(journal.lines.isEmpty)
        _ = FileManager.default.createFile(atPath: directory.path + "/other", contents: nil)
        #expect(rename(directory.path + "/other", web.networkNamespacePath) == 0)
        await reconciler.tick()
        #expect(journal.lines == ["withdraw web", "enrol web"])
        unlink(web.networkNamespacePath)
        journal.clear()
        await reconciler.tick()
        #expect(journal.lines == ["withdraw web"])
        #expect(await reconciler.pods().first?.reason?.contains("No such file") == true)
    }

    @Test("a new proxy is told everything; what a dead one still says is not heard")
    func newProxy() async throws {
        let (reconciler, _) = try await reconciler()
        let first = FakeLink()
        let second = FakeLink()
        await reconciler.linkUp(first)
        await reconciler.apply(NodeState(node: "x", pods: [pod("web", address: "10.244.1.5")]))
        await reconciler.linkUp(second)
        await reconciler.linkDown(first)
        #expect(second.messages.count == 4, "configuration, two listeners, sockets")
        await reconciler.applied(version: 1)
        #expect(await reconciler.obstacles().isEmpty)
        await reconciler.linkDown(second)
        #expect(await reconciler.obstacles() == ["the proxy is not running"])
    }

    @Test("sockets asked for too early are owed until the pod is enrolled")
    func owedSockets() async throws {
        let (reconciler, _) = try await reconciler()
        let link = FakeLink()
        let web = pod("web", address: "10.244.1.5")
        await reconciler.supply(.init(pod: web.workload.id, ipv6: false, worker: 0), count: 16)
        await reconciler.linkUp(link)
        await reconciler.supply(.init(pod: web.workload.id, ipv6: false, worker: 0), count: 4)
        #expect(link.sockets == 0)
        await reconciler.apply(NodeState(node: "x", pods: [web]))
        #expect(link.sockets == 20 + Reconciler.firstSockets)
        await reconciler.supply(.init(pod: .init(of: "nobody"), ipv6: false, worker: 0), count: 5)
        await reconciler.supply(.init(pod: web.workload.id, ipv6: false, worker: 9), count: 5)
        #expect(link.sockets == 20 + Reconciler.firstSockets)
        #expect(counts.socketsRefusedUnknownPod.value == 5)
    }

    @Test("what the fuse holds back comes when it has filled up")
    func fuse() async throws {
        let (reconciler, _) = try await reconciler()
        let link = FakeLink()
        await reconciler.linkUp(link)
        let web = pod("web", address: "10.244.1.5")
        await reconciler.apply(NodeState(node: "x", pods: [web]))
        let need = SocketNeed(pod: web.workload.id, ipv6: false, worker: 0)
        let burst = Int(SocketFuse.burst) - Reconciler.firstSockets
        for _ in 0..<(burst / 253) { await reconciler.supply(need, count: 253) }
        await reconciler.supply(need, count: 253)
        #expect(link.sockets == Int(SocketFuse.burst))
        clock.now = 1
        await reconciler.tick()
        #expect(link.sockets > Int(SocketFuse.burst))
        #expect(counts.socketsRefusedFuse.value > 0)
    }

    @Test("only what the kernel sees of a pod makes it enrol again")
    func changedPod() async throws {
        let (reconciler, _) = try await reconciler()
        await reconciler.apply(NodeState(node: "x", pods: [pod("web", address: "10.244.1.5")]))
        journal.clear()
        await reconciler.apply(NodeState(node: "x", pods: [pod("web", address: "10.244.1.5", limit: 99)]))
        #expect(journal.lines.isEmpty)
        await reconciler.apply(NodeState(node: "x", pods: [pod("web", address: "10.244.1.6")]))
        #expect(journal.lines == ["enrol web"])
    }

    @Test("the end leaves nothing, or everything")
    func end() async throws {
        let (reconciler, _) = try await reconciler()
        await reconciler.apply(NodeState(node: "x", pods: [pod("web", address: "10.244.1.5")]))
        journal.clear()
        await reconciler.close(keep: false)
        #expect(journal.lines == ["withdraw web", "close false"])
        let (other, _) = try await self.reconciler()
        await other.apply(NodeState(node: "x", pods: [pod("web", address: "10.244.1.5")]))
        journal.clear()
        await other.close(keep: true)
        #expect(journal.lines == ["close true"])
    }
}

/// Makes the fake on the reconciler's thread and lets the test mend it.
final class FakeInterceptionBox: @unchecked Sendable {
    private let interception: FakeInterception

    init(_ journal: Journal, _ broken: Set<String>) { interception = FakeInterception(journal, broken: broken) }
    func make() -> FakeInterception { interception }
    func mend() { interception.broken.withLock { $0 = [] } }
}

extension Logger {
    /// Says nothing.
    static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
