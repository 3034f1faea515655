// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import ProxyLink
import Telemetry
import Testing

@testable import Agent

@Suite("Tap")
struct TapTests {
    let store = TelemetryStore()
    let counts = AgentCounts()
    let hub: TapHub

    init() {
        hub = TapHub(store: store, counts: counts)
        store.replace(with: AccountsTests.state)
    }

    static func event(_ tap: UInt32, _ kind: TapEvent.Kind = .open, stream: UInt64 = 1) -> TapEvent {
        TapEvent(
            tap: tap, base: 256, stream: stream, pod: AccountsTests.web.id, peer: .none, direction: .outbound,
            security: .none, source: SocketAddress("10.244.1.5:40000")!, destination: SocketAddress("10.244.2.7:80")!,
            kind: kind)
    }

    @Test(
        "a query becomes a filter",
        arguments: [
            ("namespace=n", true), ("namespace=n&pod=web-1&direction=outbound&method=GET&authority=A&path=/x", true),
            ("ownerKind=Deployment&owner=web", true), ("ownerKind=deployment", true), ("peer=10.244.2.7", true),
            ("peer=n/voting", true), ("peer=n/voting-1&maxRps=1", true), ("", true), ("pod=", true),
            ("pod=other", false),
            ("ownerKind=Rollout", false), ("direction=sideways", false), ("maxRps=0", false), ("maxRps=10001", false),
            ("maxRps=x", false), ("pod=a&pod=b", false), ("colour=red", false), ("peer=voting", false),
            ("peer=n/nobody", false), ("peer=10.244.9.9", false),
            ("path=" + String(repeating: "a", count: 2049), false),
        ])
    func query(text: String, isGood: Bool) {
        let result = Result { try hub.open(TapSelector(query: AdminServer.parameters(text))) }
        #expect(((try? result.get()) != nil) == isGood)
    }

    @Test("the proxy gets identities, again with every new proxy and configuration")
    func filter() throws {
        let first = FakeLink()
        hub.linkUp(first)
        let tap = try hub.open(TapSelector(query: [("pod", "web-1"), ("peer", "n/voting"), ("authority", "Voting")]))
        let filter = TapFilter(
            id: tap.id, pods: [AccountsTests.web.id], authority: "voting", peers: [AccountsTests.voting.id])
        #expect(first.messages == [.tapStart(filter)])
        let second = FakeLink()
        hub.linkUp(second)
        #expect(second.messages == [.tapStart(filter)])
        store.replace(with: NodeState(node: "node-1"))
        hub.configurationChanged()
        store.replace(with: AccountsTests.state)
        hub.close(tap.id)
        #expect(second.messages.last == .tapStop(id: tap.id))
        #expect(hub.count == 0)
    }

    @Test("events come with names, in order")
    func events() async throws {
        let tap = try hub.open(TapSelector(query: []))
        hub.deliver([
            TapTests.event(tap.id, .request(method: "GET", authority: "voting", path: "/")),
            TapTests.event(tap.id, .response(status: 200, latencyMicroseconds: 7)),
            TapTests.event(tap.id, .end(durationMicroseconds: 3, responseBytes: 5, failure: .upstreamReset)),
            TapTests.event(
                tap.id, .end(durationMicroseconds: 3, responseBytes: 5, failure: nil, grpcStatus: 2, resetCode: 8)),
            TapTests.event(tap.id + 1), TapTests.event(tap.id, .dropped(4)),
        ])
        hub.closeAll()
        var reports: [TapReport] = []
        for await report in tap.events { reports.append(report) }
        #expect(reports.map(\.kind) == [.request, .response, .end, .end, .dropped])
        #expect(reports[0].sourcePod?.name == "web-1" && reports[0].destinationPod?.name == "voting-1")
        #expect(reports[0].source == "10.244.1.5:40000" && reports[0].method == "GET")
        #expect(reports[1].status == 200 && reports[1].latencyMicroseconds == 7)
        #expect(reports[2].error == "upstream_reset" && reports[2].responseBytes == 5)
        #expect(reports[2].grpcStatus == nil && reports[2].resetCode == nil)
        #expect(reports[3].grpcStatus == 2 && reports[3].resetCode == 8)
        #expect(reports[4].dropped == 4)
    }

    @Test("a slow reader loses events and is told how many")
    func slowReader() async throws {
        let tap = try hub.open(TapSelector(query: []))
        let extra = 50
        hub.deliver((0..<TapHub.bufferedEvents + extra).map { TapTests.event(tap.id, stream: UInt64($0)) })
        #expect(counts.tapEventsDropped.value == UInt64(extra))
        var iterator = tap.events.makeAsyncIterator()
        for index in 0..<TapHub.bufferedEvents { #expect(await iterator.next()?.stream == UInt64(index)) }
        hub.deliver([TapTests.event(tap.id, stream: 9999)])
        #expect(await iterator.next()?.dropped == UInt64(extra))
        #expect(await iterator.next()?.stream == 9999)
    }

    @Test("there is a most of taps")
    func limit() throws {
        for _ in 0..<TapHub.maximumTaps { _ = try hub.open(TapSelector(query: [])) }
        #expect(throws: TapSelector.Refusal.self) { try hub.open(TapSelector(query: [])) }
    }
}
