// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Logging
import Model
import ProxyLink
import Synchronization
import Telemetry
import Testing

@testable import Agent

/// The admin server over a real socket, asked by curl.
@Suite("Admin server")
struct AdminServerTests {
    /// Runs `body` with a server's base address.
    func withServer(_ source: FakeSource, taps: TapHub, _ body: @Sendable @escaping (String) async throws -> Void)
        async throws
    {
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let server = AdminServer(host: "127.0.0.1", port: 0, source: source, taps: taps, log: .silent) {
            continuation.yield($0)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            defer { group.cancelAll() }
            try await body("http://127.0.0.1:\(port)")
        }
    }

    /// Status, type and body of an answer.
    func ask(_ url: String, _ options: String...) async throws -> (status: Int, type: String, body: String) {
        let arguments = ["-s", "-m", "10", "--path-as-is", "-w", "\n%{http_code} %{content_type}"] + options + [url]
        let result = try await detached { try run("/usr/bin/env", ["curl"] + arguments) }
        let cut = try #require(result.output.lastIndex(of: "\n"))
        let last = result.output[result.output.index(after: cut)...].split(separator: " ", maxSplits: 1)
        return (Int(last[0]) ?? 0, last.count > 1 ? String(last[1]) : "", String(result.output[..<cut]))
    }

    func taps() -> TapHub {
        let store = TelemetryStore()
        store.replace(with: AccountsTests.state)
        return TapHub(store: store, counts: AgentCounts())
    }

    @Test("health, metrics and reports")
    func pages() async throws {
        let source = FakeSource()
        try await withServer(source, taps: taps()) { base in
            let live = try await ask(base + "/live")
            #expect(live.status == 200 && live.body == "live\n")
            var ready = try await ask(base + "/ready")
            #expect(ready.status == 200 && ready.body == "ready\n")
            source.obstacle.withLock { $0 = "the proxy is not running" }
            ready = try await ask(base + "/ready")
            #expect(ready.status == 503 && ready.body == "the proxy is not running\n")
            let metrics = try await ask(base + "/metrics")
            #expect(metrics.type == Exposition.contentType)
            let page = try ParsedPage(Array(metrics.body.utf8))
            #expect(page.families == Catalog.all.map(\.name), "every family once, in the catalog's order")
            let stat = try await ask(base + "/api/v1/stat?window=30")
            #expect(stat.type == "application/json")
            let report = try JSONDecoder().decode(StatReport.self, from: Data(stat.body.utf8))
            #expect(report.windowSeconds == 30)
            let status = try await ask(base + "/api/v1/status")
            let decoded = try JSONDecoder().decode(StatusReport.self, from: Data(status.body.utf8))
            #expect(decoded.proxy.pid == 42)
        }
    }

    @Test("what is wrong gets its status and a reason")
    func errors() async throws {
        let taps = taps()
        try await withServer(FakeSource(), taps: taps) { base in
            let cases: [(String, Int)] = [
                ("/nothing", 404), ("/", 404), ("/api/v1/stat?window=0", 400), ("/api/v1/stat?window=601", 400),
                ("/api/v1/stat?window=1&window=2", 400), ("/api/v1/stat?w=1", 400), ("/api/v1/tap?pod=a&pod=b", 400),
                ("/api/v1/tap?colour=red", 400), ("/api/v1/tap?pod=nobody", 404), ("/api/v1/tap?maxRps=0", 400),
                ("/live?" + String(repeating: "a", count: 9000), 400),
            ]
            for (path, status) in cases {
                let answer = try await ask(base + path)
                #expect(answer.status == status, "\(path.prefix(60))")
                let error = try JSONDecoder().decode([String: String].self, from: Data(answer.body.utf8))
                #expect(error["error"]?.isEmpty == false)
            }
            let post = try await ask(base + "/metrics", "-d", "x")
            #expect(post.status == 405)
        }
        #expect(taps.count == 0)
    }

    @Test("a tap streams lines as they come and ends with its reader")
    func tap() async throws {
        let taps = taps()
        try await withServer(FakeSource(), taps: taps) { base in
            let reader = try Reader(base + "/api/v1/tap?pod=web-1&direction=outbound")
            #expect(await eventually { taps.count == 1 })
            for stream in 1...3 { taps.deliver([TapTests.event(1, stream: UInt64(stream))]) }
            let lines = try await detached { try (0..<3).map { _ in try reader.line() } }
            let reports = try lines.map { try JSONDecoder().decode(TapReport.self, from: Data($0.utf8)) }
            #expect(reports.map(\.stream) == [1, 2, 3])
            reader.end()
            #expect(await eventually { taps.count == 0 }, "nothing has to be written to notice that nobody reads")
        }
    }

    @Test("more taps than there may be are refused")
    func tapLimit() async throws {
        let taps = taps()
        try await withServer(FakeSource(), taps: taps) { base in
            for _ in 0..<TapHub.maximumTaps { _ = try taps.open(TapSelector(query: [])) }
            #expect(try await ask(base + "/api/v1/tap").status == 400)
        }
    }

    @Test("Prometheus' own parser reads the page")
    func prometheusParser() async throws {
        let script =
            "import sys\nfrom prometheus_client.parser import text_string_to_metric_families as p\n"
            + "print(len(list(p(sys.stdin.read()))))"
        guard try run("/usr/bin/env", ["python3", "-c", "import prometheus_client"]).code == 0 else {
            print("SKIPPED: python3 has no prometheus_client (pip install prometheus_client)")
            return
        }
        var accounts = AccountsTests.fresh()
        accounts.add(AccountsTests.outbound(authority: "quo\"te\\\n"), now: 1)
        accounts.add(AccountsTests.tcp(opened: 1, closed: 1, errno: 104), now: 1)
        accounts.commit(now: 1)
        let page = FakeSource.vitals().page(accounts)
        let result = try run("/usr/bin/env", ["python3", "-c", script], input: Data(page))
        #expect(result.code == 0, "\(result.output)")
        #expect(Int(result.output.trimmingCharacters(in: .whitespacesAndNewlines)) == Catalog.all.count)
    }
}

/// A node with nothing in it.
final class FakeSource: AdminSource {
    let obstacle = Mutex<String?>(nil)

    static func vitals() -> NodeVitals {
        NodeVitals(
            node: "x", pods: [], decisions: [("redirected", 3)], proxyPID: nil, isProxyConnected: false, taps: 0,
            counts: AgentCounts())
    }

    func obstacles() async -> [String] { obstacle.withLock { $0.map { [$0] } ?? [] } }
    func metrics() async -> [UInt8] { FakeSource.vitals().page(AccountsTests.fresh()) }

    func status() async -> StatusReport {
        StatusReport(
            node: "x", version: "1", ready: true, obstacles: [], kernel: [],
            configuration: .init(path: "/f", version: 1, error: nil),
            proxy: .init(pid: 42, startedAt: nil, restarts: 0, connected: true), pods: [])
    }

    func stat(window: Double) async -> StatReport { StatReport(node: "x", windowSeconds: window, pods: [], series: []) }
}

/// A curl that stays.
private final class Reader: @unchecked Sendable {
    private let process = Process()
    private let output = Pipe()
    private var buffered = Data()

    init(_ url: String) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["curl", "-sN", "-m", "30", url]
        process.standardOutput = output
        try process.run()
    }

    func line() throws -> String {
        while true {
            if let end = buffered.firstIndex(of: 10) {
                defer { buffered = Data(buffered[(end + 1)...]) }
                return String(decoding: buffered[..<end], as: UTF8.self)
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { throw CancellationError() }
            buffered += more
        }
    }

    // Not SIGTERM: the child has inherited a mask that blocks it.
    func end() { kill(process.processIdentifier, SIGKILL) }
}

/// Runs something that blocks on a thread of its own.
func detached<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Swift.Result { try body() }) }
    }
}
