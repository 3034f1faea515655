// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import ProxyLink
import Telemetry
import Testing

@testable import Agent

@Suite("Accounts")
struct AccountsTests {
    static let web = Workload(
        uid: "web", namespace: "n", name: "web-1", owner: .init(.deployment, "web"), node: "node-1",
        addresses: [IPAddress("10.244.1.5")!])
    static let voting = Workload(
        uid: "voting", namespace: "n", name: "voting-1", owner: .init(.statefulSet, "voting"), node: "node-2",
        addresses: [IPAddress("10.244.2.7")!])
    static let service = Service(
        namespace: "n", name: "voting-svc", addresses: [IPAddress("10.96.0.9")!],
        ports: [.init(port: 80, endpoints: [])])
    static let state = NodeState(
        node: "node-1", pods: [LocalPod(workload: web, networkNamespacePath: "/x")], workloads: [voting],
        services: [service])

    /// Accounts of a node with one pod and a proxy that said hello at second 0.
    static func fresh() -> Accounts {
        var accounts = Accounts()
        accounts.replace(with: state, now: 0)
        accounts.proxyStarted(instance: 1, now: 0)
        return accounts
    }

    static func outbound(authority: String = "voting", count: UInt64 = 1, success: Bool = true) -> CounterDelta {
        var delta = HTTPSeriesDelta()
        delta.requests = count
        delta.responses = [
            .init(
                status: success ? 200 : 500, isSuccess: success, count: count, latencySumMs: 3 * count,
                latencyMs: [.init(bin: 2, count: UInt32(count))])
        ]
        delta.latency = [.init(bin: 100, count: UInt32(count))]
        delta.latencySumMicroseconds = 2500 * count
        delta.overhead = [.init(bin: 90, count: UInt32(count))]
        return .http(
            HTTPSeriesKey(
                pod: web.id, direction: .outbound, peer: voting.id, service: service.id, security: .none,
                authority: authority), delta)
    }

    static let tcpKey = TCPSeriesKey(
        pod: web.id, direction: .outbound, side: .destination, peer: voting.id, service: service.id, security: .local)

    static func tcp(opened: UInt64 = 0, closed: UInt64 = 0, errno: Int32 = 0, read: UInt64 = 0) -> CounterDelta {
        var delta = TCPSeriesDelta()
        delta.opened = opened
        if closed > 0 { delta.closed = [.init(errno: errno, count: closed)] }
        delta.readBytes = read
        return .tcp(tcpKey, delta)
    }

    func page(_ accounts: Accounts) throws -> ParsedPage {
        var page = Exposition()
        accounts.write(to: &page)
        accounts.writeInternals(to: &page)
        return try ParsedPage(page.bytes)
    }

    @Test("deltas add up under Linkerd's names and labels")
    func totals() throws {
        var accounts = AccountsTests.fresh()
        accounts.add(AccountsTests.outbound(count: 2), now: 1)
        accounts.add(AccountsTests.outbound(count: 3, success: false), now: 2)
        accounts.add(AccountsTests.tcp(opened: 2, closed: 1, errno: 104, read: 77), now: 2)
        accounts.commit(now: 2)
        let page = try page(accounts)
        let labels =
            "direction=outbound,namespace=n,pod=web-1,deployment=web,authority=voting,dst_namespace=n,dst_pod=voting-1,"
            + "dst_statefulset=voting,dst_service=voting-svc,tls=disabled"
        #expect(page["request_total", labels] == 5)
        #expect(page["response_total", labels + ",classification=success,status_code=200"] == 2)
        #expect(page["response_total", labels + ",classification=failure,status_code=500"] == 3)
        #expect(page["response_latency_ms_bucket", labels + ",status_code=500,le=2"] == 0)
        #expect(page["response_latency_ms_bucket", labels + ",status_code=500,le=3"] == 3)
        #expect(page["response_latency_ms_sum", labels + ",status_code=500"] == 9)
        let tcp =
            "direction=outbound,peer=dst,namespace=n,pod=web-1,deployment=web,dst_namespace=n,dst_pod=voting-1,"
            + "dst_statefulset=voting,dst_service=voting-svc,tls=local"
        #expect(page["tcp_open_total", tcp] == 2)
        #expect(page["tcp_open_connections", tcp] == 1)
        #expect(page["tcp_close_total", tcp + ",errno=ECONNRESET"] == 1)
        #expect(page["tcp_read_bytes_total", tcp] == 77)
        let pod = "direction=outbound,namespace=n,pod=web-1,deployment=web"
        #expect(page["apus_response_latency_seconds_count", pod] == 5)
        #expect(page["apus_response_latency_seconds_sum", pod] == 0.0125)
        #expect(page["apus_proxy_overhead_seconds_count", pod] == 5)
    }

    static let httpLabels =
        "direction=outbound,namespace=n,pod=web-1,deployment=web,authority=voting,dst_namespace=n,dst_pod=voting-1,"
        + "dst_statefulset=voting,dst_service=voting-svc,tls=disabled"

    static func live(_ change: Int32, authority: String = "voting") -> CounterDelta {
        guard case .http(let key, _) = outbound(authority: authority) else { fatalError("not HTTP") }
        var delta = HTTPSeriesDelta()
        delta.liveChange = change
        return .http(key, delta)
    }

    @Test("a gRPC status is a label, and what is not gRPC has none")
    func grpc() throws {
        var accounts = AccountsTests.fresh()
        guard case .http(let key, var delta) = AccountsTests.outbound() else { return }
        delta.responses = [
            .init(status: 200, isSuccess: true, count: 1, latencySumMs: 1, latencyMs: [.init(bin: 0, count: 1)]),
            .init(
                status: 200, grpcStatus: 0, isSuccess: true, count: 2, latencySumMs: 2,
                latencyMs: [.init(bin: 0, count: 2)]),
            .init(
                status: 200, grpcStatus: 2, isSuccess: false, count: 4, latencySumMs: 4,
                latencyMs: [.init(bin: 0, count: 4)]),
        ]
        accounts.add(.http(key, delta), now: 1)
        accounts.commit(now: 1)
        let page = try page(accounts)
        let labels = AccountsTests.httpLabels
        #expect(page["response_total", labels + ",classification=success,status_code=200"] == 1)
        #expect(page["response_total", labels + ",classification=success,status_code=200,grpc_status=0"] == 2)
        #expect(page["response_total", labels + ",classification=failure,status_code=200,grpc_status=2"] == 4)
        #expect(page["response_latency_ms_count", labels + ",status_code=200"] == 7, "one histogram per HTTP status")
        let row = try #require(accounts.report(last: 60, enrolled: [], now: 1).series.first)
        #expect(row.success == 3 && row.failure == 4)
    }

    @Test("open requests are the sum of what workers say, and a worker may close what another opened")
    func live() throws {
        var accounts = AccountsTests.fresh()
        accounts.add(AccountsTests.live(-1), now: 1)
        accounts.add(AccountsTests.live(4), now: 1)
        accounts.commit(now: 1)
        #expect(try page(accounts)["apus_requests_open", AccountsTests.httpLabels] == 3)
        #expect(accounts.report(last: 60, enrolled: [], now: 1).series.map(\.live) == [3])
        accounts.add(AccountsTests.live(-3), now: 2)
        accounts.commit(now: 2)
        #expect(try page(accounts)["apus_requests_open", AccountsTests.httpLabels] == 0)
        #expect(accounts.live.counts.isEmpty)
    }

    @Test("a new link tells all that is open, from the proxy before or another one")
    func liveOnNewLink() {
        var accounts = AccountsTests.fresh()
        accounts.add(AccountsTests.live(5), now: 1)
        accounts.commit(now: 1)
        for instance: UInt64 in [1, 2] {
            accounts.proxyStarted(instance: instance, now: 2)
            #expect(accounts.live.counts.isEmpty)
            accounts.add(AccountsTests.live(2), now: 3)
            accounts.commit(now: 3)
            #expect(Array(accounts.live.counts.values) == [2])
        }
    }

    @Test("a stream that is silent for hours keeps its series; one of a pod that is long gone does not")
    func liveSeriesStay() throws {
        var accounts = AccountsTests.fresh()
        accounts.add(AccountsTests.live(1), now: 1)
        accounts.commit(now: 1)
        accounts.commit(now: 10_000)
        #expect(try page(accounts)["apus_requests_open", AccountsTests.httpLabels] == 1)
        accounts.replace(with: NodeState(node: "node-1"), now: 10_001)
        accounts.replace(with: NodeState(node: "node-1"), now: 11_000)
        accounts.commit(now: 11_000)
        #expect(accounts.http.isEmpty && accounts.live.counts.isEmpty)
    }

    @Test("a request that begins beyond the limit of series and ends below it is gone when it ends")
    func liveBeyondLimit() {
        var accounts = AccountsTests.fresh()
        for index in 0..<Accounts.maximumSeries {
            accounts.add(AccountsTests.outbound(authority: "a\(index)"), now: 1)
        }
        accounts.add(AccountsTests.live(1), now: 1)
        accounts.commit(now: 1)
        let folded = accounts.report(last: 60, enrolled: [], now: 1).series.filter { $0.live > 0 }
        #expect(folded.map(\.authority) == [""])
        accounts.commit(now: 700)
        #expect(accounts.http.count == 1, "only the one with the open request")
        accounts.add(AccountsTests.live(-1), now: 701)
        accounts.commit(now: 701)
        #expect(accounts.live.counts.isEmpty)
    }

    @Test("an inbound series has no labels of the caller, and callers are added up")
    func inbound() throws {
        var accounts = AccountsTests.fresh()
        for peer in [AccountsTests.voting.id, .none] {
            var delta = HTTPSeriesDelta()
            delta.requests = 1
            accounts.add(
                .http(
                    .init(
                        pod: AccountsTests.web.id, direction: .inbound, peer: peer, service: .none, security: .none,
                        authority: "web"), delta), now: 1)
        }
        accounts.commit(now: 1)
        let labels = "direction=inbound,namespace=n,pod=web-1,deployment=web,authority=web,tls=disabled"
        #expect(try page(accounts)["request_total", labels] == 2)
    }

    @Test("a new proxy has no connections yet; counters go on")
    func proxyRestart() throws {
        var accounts = AccountsTests.fresh()
        accounts.add(AccountsTests.tcp(opened: 5), now: 1)
        accounts.commit(now: 1)
        accounts.proxyStarted(instance: 1, now: 2)
        #expect(accounts.open[AccountsTests.tcpKey] == 5, "the same proxy after a lost link")
        accounts.proxyStarted(instance: 2, now: 2)
        accounts.add(AccountsTests.tcp(opened: 1), now: 3)
        accounts.commit(now: 3)
        #expect(accounts.open[AccountsTests.tcpKey] == 1)
        #expect(accounts.tcp.values.first?.opened == 6)
    }

    @Test("connections opened before this agent started do not make the gauge negative")
    func adoptedConnections() {
        var accounts = AccountsTests.fresh()
        accounts.add(AccountsTests.tcp(closed: 3), now: 1)
        accounts.commit(now: 1)
        accounts.add(AccountsTests.tcp(opened: 2), now: 2)
        accounts.commit(now: 2)
        #expect(accounts.open[AccountsTests.tcpKey] == 2)
    }

    @Test("a connection that changed workers may close before it opens within one collection")
    func handover() {
        var accounts = AccountsTests.fresh()
        accounts.add(AccountsTests.tcp(closed: 1), now: 1)
        accounts.add(AccountsTests.tcp(opened: 1), now: 1)
        accounts.commit(now: 1)
        #expect(accounts.open[AccountsTests.tcpKey] == nil)
    }

    @Test("series that are idle for ten minutes go; one with an open connection stays")
    func expiry() throws {
        var accounts = AccountsTests.fresh()
        accounts.add(AccountsTests.outbound(), now: 1)
        accounts.add(AccountsTests.tcp(opened: 1), now: 1)
        accounts.commit(now: 1)
        accounts.commit(now: 590)
        #expect(accounts.http.count == 1 && accounts.tcp.count == 1)
        accounts.commit(now: 612)
        #expect(accounts.http.isEmpty && accounts.tcp.count == 1)
        accounts.add(AccountsTests.tcp(closed: 1), now: 613)
        accounts.commit(now: 613)
        accounts.commit(now: 1300)
        #expect(accounts.tcp.isEmpty)
    }

    @Test("a pod's last counts keep its name after it left the configuration")
    func goneWorkload() throws {
        var accounts = AccountsTests.fresh()
        var without = AccountsTests.state
        without.workloads = []
        accounts.replace(with: without, now: 1)
        accounts.add(AccountsTests.outbound(), now: 2)
        accounts.commit(now: 2)
        #expect(accounts.http.keys.first?.text.contains("dst_pod=\"voting-1\"") == true)
        accounts.replace(with: without, now: 700)
        accounts.add(AccountsTests.outbound(), now: 701)
        accounts.commit(now: 701)
        #expect(accounts.http.keys.contains { !$0.text.contains("dst_pod") })
    }

    @Test("counts for a pod that is not ours are left out and counted")
    func unknownPod() {
        var accounts = AccountsTests.fresh()
        accounts.add(.processorTime(pod: AccountsTests.voting.id, nanoseconds: 1), now: 1)
        accounts.add(.failure(pod: StableID(rawValue: 99), direction: .inbound, reason: .noRoute, count: 1), now: 1)
        #expect(accounts.overflow[.unknownPod] == 2 && accounts.pods.isEmpty)
    }

    @Test("beyond the limit of series the authority is folded, and later counts are left out")
    func seriesLimit() {
        var accounts = AccountsTests.fresh()
        for index in 0..<Accounts.maximumSeries + 10 {
            accounts.add(AccountsTests.outbound(authority: "a\(index)"), now: 1)
        }
        accounts.commit(now: 1)
        #expect(accounts.http.count == Accounts.maximumSeries + 1)
        #expect(accounts.overflow[.authorityFolded] == 10)
        let total = accounts.http.values.reduce(0) { $0 + $1.requests }
        #expect(total == UInt64(Accounts.maximumSeries + 10))
    }

    @Test("the window covers what it says, at one second and at ten")
    func window() throws {
        var accounts = AccountsTests.fresh()
        for second in 1...300 {
            accounts.add(AccountsTests.outbound(count: 10, success: second % 10 != 0), now: Double(second))
            accounts.commit(now: Double(second))
        }
        for asked in [1.0, 10, 60, 120, 290] {
            let report = accounts.report(last: asked, enrolled: [AccountsTests.web.id], now: 300)
            let row = try #require(report.series.first)
            #expect(abs(report.windowSeconds - asked) <= 10, "\(asked) gave \(report.windowSeconds)")
            #expect(
                row.success + row.failure == UInt64(10 * report.windowSeconds), "the counts match the window exactly")
            #expect(row.latencyBins == [100, UInt64(10 * report.windowSeconds)])
            #expect(row.peer?.name == "voting-1" && row.service == "n/voting-svc" && row.pod.meshed)
        }
        #expect(accounts.report(last: 600, enrolled: [], now: 300).windowSeconds == 300)
    }

    @Test("the window forgets after ten minutes, and a dead proxy's silence counts as time")
    func windowEnd() {
        var accounts = AccountsTests.fresh()
        accounts.add(AccountsTests.outbound(), now: 1)
        accounts.commit(now: 1)
        for second in 2...700 { accounts.commit(now: Double(second)) }
        #expect(accounts.report(last: 600, enrolled: [], now: 700).series.isEmpty)
        accounts.add(AccountsTests.outbound(count: 30), now: 701)
        accounts.commit(now: 701)
        let report = accounts.report(last: 60, enrolled: [], now: 731)
        #expect(abs(report.windowSeconds - 59) < 1.5)
        #expect(report.series.first?.success == 30)
    }

    @Test("every pod of the node has a row, those of others have none")
    func pods() {
        let report = AccountsTests.fresh().report(last: 60, enrolled: [], now: 1)
        #expect(report.pods.map(\.name) == ["web-1"])
        #expect(report.pods.first?.meshed == false, "not enrolled, so not meshed")
    }
}
