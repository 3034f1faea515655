// SPDX-License-Identifier: Apache-2.0

import Telemetry

/// What the sample application must look like in `stat`, and whether it does. Pure.
struct DemoChecks {
    /// One number: what it should be, what it is.
    struct Check: Sendable {
        let name: String
        let expected: Double
        let measured: Double?
        let unit: String

        /// Within 5 % of what is expected.
        var passes: Bool { measured.map { abs($0 - expected) <= 0.05 * expected } ?? false }

        var text: String {
            let expectation = "expected \(StatTable.decimal(expected, 1))\(unit)"
            let measurement = measured.map { "\(StatTable.decimal($0, 1))\(unit)" } ?? "nothing"
            return "\(passes ? "PASS" : "FAIL")  \(name): \(measurement), \(expectation) within 5 %"
        }
    }

    /// A vote fails if it is for the doughnut: 15 % of all, and one in 99 of the rest.
    static let failureShare = 0.15 + 0.85 / 99

    let checks: [Check]

    /// - Parameters:
    ///   - watched: what was asked of the workloads by the watcher.
    ///   - rate: the bot's rounds a second.
    ///   - streams: how many streams the watcher keeps open.
    init(_ summary: StatSummary, watched: StatSummary, rate: Double, streams: Double) {
        let rows = DemoChecks.rows(summary)
        let expected = [
            ("web", 1 - DemoChecks.failureShare / 2, 2 * rate), ("voting", 1 - DemoChecks.failureShare, rate),
            ("emoji", 1, 2 * rate),
        ]
        let rates = expected.flatMap { name, success, rate in
            let row = rows[name]
            return [
                Check(
                    name: "\(name) success", expected: success * 100, measured: row?.successRate.map { $0 * 100 },
                    unit: "%"),
                Check(
                    name: "\(name) rate", expected: rate, measured: row.flatMap { $0.responses > 0 ? $0.rate : nil },
                    unit: "rps"),
            ]
        }
        let live = DemoChecks.rows(watched)["voting"]?.live
        checks =
            rates + [
                Check(
                    name: "voting streams", expected: streams, measured: live.map { Double($0) }, unit: " open")
            ]
    }

    private static func rows(_ summary: StatSummary) -> [String: StatRow] {
        Dictionary(
            uniqueKeysWithValues: (summary.groups.first { $0.kind == .deployment }?.rows ?? []).map { ($0.name, $0) })
    }
}
