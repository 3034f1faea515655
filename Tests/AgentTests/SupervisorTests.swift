// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Kernel
import Logging
import Model
import ProxyLink
import Telemetry
import Testing

@testable import Agent

/// The supervisor with a stand-in for the proxy: a script that speaks the link's protocol and nothing else.
@Suite("Supervisor", .serialized)
struct SupervisorTests {
    let directory: TemporaryDirectory
    let journal = Journal()

    init() throws { directory = try TemporaryDirectory() }

    /// What one agent has.
    struct Node {
        let reconciler: Reconciler
        let supervisor: ProxySupervisor
        let store: TelemetryStore
        let counts = AgentCounts()

        init(_ journal: Journal, program: String, socketPath: String) async throws {
            store = TelemetryStore()
            let taps = TapHub(store: store, counts: counts)
            let box = FakeInterceptionBox(journal, [])
            reconciler = Reconciler(store: store, counts: counts, log: .silent) { box.make() }
            supervisor = ProxySupervisor(
                .init(
                    program: program, socketPath: socketPath, arguments: [], node: "x",
                    executable: try python().resolvingSymlinksInPath().path),
                reconciler: reconciler, store: store, taps: taps, counts: counts, log: .silent)
            try await reconciler.open()
        }

        var pid: Int32? { get async { await supervisor.status().pid } }
        var isReady: Bool { get async { await reconciler.obstacles().isEmpty } }
    }

    /// - Parameter mode: `good`, `mute` (never says hello), `crash` (dies at once), `garbage` (talks nonsense), `old`
    ///   (another version).
    func program(_ mode: String) throws -> String {
        let path = "\(directory.path)/fake-\(mode)"
        try fakeProxy.replacing("PYTHON", with: try python().path).replacing("MODE", with: mode)
            .replacing("VERSION", with: "\(ProxyLink.version)")
            .write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, 0o755)
        return path
    }

    var socketPath: String { "\(directory.path)/proxy.sock" }

    var state: NodeState {
        NodeState(
            node: "x",
            pods: [LocalPod(workload: AccountsTests.web, networkNamespacePath: "/proc/self/ns/net")])
    }

    @Test("a proxy is started, configured, asked for its counters and ended")
    func life() async throws {
        let node = try await Node(journal, program: try program("good"), socketPath: socketPath)
        await node.supervisor.start()
        await node.reconciler.apply(state)
        #expect(await eventually { await node.isReady })
        await node.supervisor.collect()
        #expect(await eventually { !node.store.snapshot().pods.isEmpty })
        var status = stat()
        #expect(stat(socketPath, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let pid = try #require(await node.pid)
        await node.supervisor.stop(keep: false)
        // Its exit status is collected by the thread that watches it, a moment later.
        #expect(await eventually { kill(pid, 0) != 0 })
        #expect(!FileManager.default.fileExists(atPath: socketPath))
    }

    @Test("a proxy that is killed is replaced at once and told everything")
    func restart() async throws {
        let node = try await Node(journal, program: try program("good"), socketPath: socketPath)
        await node.supervisor.start()
        await node.reconciler.apply(state)
        #expect(await eventually { await node.isReady })
        let first = try #require(await node.pid)
        kill(first, SIGKILL)
        #expect(await eventually { await [node.isReady, node.pid != first] == [true, true] })
        #expect(node.counts.proxyRestarts.value == 1)
        await node.supervisor.stop(keep: false)
    }

    @Test("a new agent takes the running proxy and its listeners over")
    func adoption() async throws {
        let program = try program("good")
        let first = try await Node(journal, program: program, socketPath: socketPath)
        await first.supervisor.start()
        await first.reconciler.apply(state)
        #expect(await eventually { await first.isReady })
        let pid = try #require(await first.pid)
        await first.supervisor.stop(keep: true)
        #expect(kill(pid, 0) == 0)

        let second = try await Node(journal, program: program, socketPath: socketPath)
        await second.supervisor.start()
        #expect(await second.pid == pid)
        #expect(journal.lines.contains("adopt 2"))
        await second.reconciler.apply(state)
        #expect(await eventually { await second.isReady })
        #expect(second.counts.proxyRestarts.value == 0)
        await second.supervisor.stop(keep: false)
    }

    @Test("a stale number that means another process by now is left alone")
    func staleNumber() async throws {
        try "\(getpid()) 1\n".write(toFile: ProxyProcess.pidPath(socketPath), atomically: true, encoding: .utf8)
        let node = try await Node(journal, program: try program("good"), socketPath: socketPath)
        await node.supervisor.start()
        #expect(await node.pid != nil)
        #expect(await node.pid != getpid())
        await node.supervisor.stop(keep: false)
    }

    @Test("a proxy that keeps dying is given time, and the agent goes on", arguments: ["crash", "garbage", "old"])
    func crashLoop(mode: String) async throws {
        let node = try await Node(journal, program: try program(mode), socketPath: socketPath)
        await node.supervisor.start()
        await node.reconciler.apply(state)
        #expect(await eventually { node.counts.proxyRestarts.value >= 3 })
        #expect(await node.reconciler.pods().first?.isEnrolled == true)
        #expect(await !node.isReady)
        await node.supervisor.stop(keep: false)
    }

    @Test("a program that is not there stops nothing else")
    func missingProgram() async throws {
        let node = try await Node(journal, program: "/nonexistent/apus-proxy", socketPath: socketPath)
        await node.supervisor.start()
        await node.reconciler.apply(state)
        #expect(await node.reconciler.obstacles() == ["the proxy is not running"])
        await node.supervisor.stop(keep: false)
    }
}

private func python() throws -> URL {
    let result = try run("/usr/bin/env", ["python3", "-c", "import sys; print(sys.executable)"])
    return URL(fileURLWithPath: result.output.trimmingCharacters(in: .whitespacesAndNewlines))
}

/// Numbers are those of ``AgentMessage`` and ``ProxyMessage``.
private let fakeProxy = """
    #!PYTHON
    import os, select, socket, struct, sys, time
    mode = "MODE"
    if mode == "crash": sys.exit(3)
    listener = socket.socket(fileno=3)
    held, link = {}, None
    while True:
        ready, _, _ = select.select([s for s in (listener, link) if s], [], [])
        if listener in ready:
            link, _ = listener.accept()
            if mode == "garbage": link.send(b"\\xff\\xff")
            else: link.send(struct.pack("<BIQH", 1, 99 if mode == "old" else VERSION, os.getpid(), 1))
            continue
        data, fds, _, _ = socket.recv_fds(link, 65536, 253)
        if not data:
            link = None
            continue
        kind = data[0]
        if kind == 1:
            link.send(struct.pack("<BQ", 2, struct.unpack_from("<Q", data, 1)[0]))
        elif kind == 2:
            held[data[1:]] = fds
            fds = []
        elif kind == 7:
            pod = next((key[:8] for key in held), None)
            if pod: link.send(b"\\x05" + b"\\x04" + pod + struct.pack("<Q", 1000))
            link.send(struct.pack("<BQ", 6, struct.unpack_from("<Q", data, 1)[0]))
        elif kind == 8:
            for key, numbers in held.items(): socket.send_fds(link, [b"\\x08" + key], numbers)
            link.send(b"\\x09")
        elif kind == 9:
            sys.exit(0)
        for number in fds: os.close(number)
    """

/// Runs a program to its end.
func run(_ path: String, _ arguments: [String], input: Data? = nil) throws -> (code: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    let source = Pipe()
    process.standardInput = source
    try process.run()
    if let input { try source.fileHandleForWriting.write(contentsOf: input) }
    try source.fileHandleForWriting.close()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
}
