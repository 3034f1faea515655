// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Telemetry
import Testing

@testable import Commands

@Suite("stat")
struct StatTests {
    private func summary(
        _ what: [String], namespace: String? = "emojivoto", _ relation: StatQuery.Relation = .none
    ) throws -> StatSummary {
        StatSummary(
            Samples.reports, StatQuery(resources: try Resource.parse(what), namespace: namespace, relation: relation))
    }

    @Test("the table has Linkerd's columns, its padding, and a row for what is silent")
    func table() throws {
        try Golden.expect(StatTable(summary: try summary(["deploy"])).text, "stat-deploy.txt")
    }

    @Test("-A puts the namespace first, wide appends connections and bytes")
    func wide() throws {
        let summary = try summary(["po"], namespace: nil)
        try Golden.expect(StatTable(summary: summary, isWide: true, showsNamespaces: true).text, "stat-po-wide.txt")
    }

    @Test("streams that have not ended show even where nothing else does")
    func streams() throws {
        let watcher = Samples.pod("watcher-1", "watcher", "node-1")
        let report = StatReport(
            node: "node-1", windowSeconds: 60, pods: [Samples.voting1, watcher],
            series: [
                Samples.series(
                    .outbound, watcher, Samples.voting1, service: "emojivoto/voting-svc", tls: .local, 0, 0, live: 2,
                    microseconds: [])
            ])
        let query = StatQuery(
            resources: try Resource.parse(["deploy"]), namespace: "emojivoto",
            relation: .from(Resource(kind: .deployment, name: "watcher"), namespace: "emojivoto"))
        try Golden.expect(StatTable(summary: StatSummary([report], query)).text, "stat-live.txt")
    }

    @Test("several kinds are several tables with prefixed names")
    func several() throws {
        try Golden.expect(
            StatTable(summary: try summary(["ns", "svc", "sts", "au"], namespace: nil)).text, "stat-several.txt")
    }

    @Test("JSON has every row, with null where nothing was measured")
    func json() throws {
        try Golden.expect(try StatJSON(summary: try summary(["deploy", "svc"])).text() + "\n", "stat.json")
    }

    @Test("--to is what they asked of it, --from is how they were asked by it")
    func relations() throws {
        let voting = Resource(kind: .deployment, name: "voting")
        let to = try summary(["deploy"], .to(voting, namespace: "emojivoto"))
        #expect(to.groups[0].rows.map(\.name) == ["web"])
        #expect(to.groups[0].rows[0].responses == 1500)
        let service = try summary(["deploy"], .to(Resource(kind: .service, name: "web-svc"), namespace: "emojivoto"))
        #expect(service.groups[0].rows.map(\.name) == ["vote-bot"])
        let from = try summary(["deploy"], .from(Resource(kind: .deployment, name: "web"), namespace: "emojivoto"))
        #expect(from.groups[0].rows.map(\.name) == ["voting"])
        #expect(from.groups[0].rows[0].meshed?.all == 2)
        let nobody = try summary(["deploy"], .to(voting, namespace: "elsewhere"))
        #expect(nobody.isEmpty)
    }

    @Test("rates of agents that cover different windows are added as rates")
    func windows() throws {
        let services = try summary(["svc"]).groups[0].rows
        #expect(services.first { $0.name == "web-svc" }?.rate == 50)
        #expect(services.first { $0.name == "voting-svc" }?.rate == 25)
    }

    @Test(
        "resources are read as kubectl reads them",
        arguments: [
            (["deploy"], [Resource(kind: .deployment)]),
            (["deployments/web", "po"], [Resource(kind: .deployment, name: "web"), Resource(kind: .pod)]),
            (
                ["deploy", "web", "emoji"],
                [Resource(kind: .deployment, name: "web"), Resource(kind: .deployment, name: "emoji")]
            ),
            (["ns", "svc"], [Resource(kind: .namespace), Resource(kind: .service)]),
        ])
    func resources(_ arguments: [String], _ expected: [Resource]) throws {
        #expect(try Resource.parse(arguments) == expected)
    }

    @Test("what is no resource is refused", arguments: [["web"], ["deploy/"], ["x/y"], ["deploy/web", "emoji"]])
    func notResources(_ arguments: [String]) {
        #expect(throws: CommandError.self) { try Resource.parse(arguments) }
    }

    @Test(
        "latencies keep the digits that matter",
        arguments: [
            (nil, "-"), (0, "0µs"), (478.4, "478µs"), (999.4, "999µs"), (999.6, "1.0ms"), (1234, "1.2ms"),
            (9949, "9.9ms"),
            (9951, "10ms"), (35_400, "35ms"), (12_345_678, "12346ms"),
        ] as [(Double?, String)])
    func latency(_ microseconds: Double?, _ text: String) {
        #expect(StatTable.latency(microseconds) == text)
    }

    @Test("windows", arguments: [("10s", 10), ("1m", 60), ("2m30s", 150), ("1h", 3600)])
    func window(_ text: String, _ seconds: Int) {
        #expect(Window(argument: text)?.seconds == seconds)
    }

    @Test("not windows", arguments: ["", "10", "s", "-1s", "1d", "1.5m", "99999999999999999999s"])
    func notWindow(_ text: String) {
        #expect(Window(argument: text) == nil)
    }

    @Test(
        "the command line: good", arguments: [["deploy", "-n", "emojivoto"], ["po", "-A", "-o", "wide", "-t", "10m"]])
    func good(_ arguments: [String]) throws {
        _ = try StatCommand.parse(arguments)
    }

    @Test(
        "the command line: bad",
        arguments: [
            [], ["nonsense"], ["deploy", "-t", "0s"], ["deploy", "-t", "11m"], ["deploy", "-o", "xml"],
            ["deploy", "--to", "deploy/a", "--from", "deploy/b"], ["deploy", "--to-namespace", "x"],
            ["deploy", "--from", "svc/a"], ["deploy", "--agent", "http://x/"],
        ])
    func bad(_ arguments: [String]) {
        #expect(throws: (any Error).self) { try StatCommand.parse(arguments) }
    }

    @Test("the demonstration's checks pass on what the sample does and fail on what it does not")
    func demo() throws {
        let watched = try summary(["deploy"], .from(Resource(kind: .deployment, name: "web"), namespace: "emojivoto"))
        let checks = DemoChecks(try summary(["deploy"]), watched: watched, rate: 25, streams: 4).checks
        #expect(
            checks.filter(\.passes).map(\.name) == ["web success", "web rate", "voting success", "voting streams"])
        #expect(checks.first { $0.name == "emoji rate" }?.measured == nil)
        #expect(checks[0].text == "PASS  web success: 92.1%, expected 92.1% within 5 %")
    }
}
