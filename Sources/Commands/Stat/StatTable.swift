// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A ``StatSummary`` as text, in Linkerd's columns.
struct StatTable {
    let summary: StatSummary
    /// Adds connections, bytes and open streams.
    var isWide = false
    /// Puts the namespace first.
    var showsNamespaces = false

    /// One table for each kind, an empty line between them.
    var text: String {
        let groups = summary.groups.filter { !$0.rows.isEmpty }
        return groups.map { table($0, prefixed: summary.groups.count > 1) }.joined(separator: "\n")
    }

    private func table(_ group: StatSummary.Group, prefixed: Bool) -> String {
        let namespaces = showsNamespaces && group.kind != .namespace
        var header = ["NAME", "MESHED", "SUCCESS", "RPS", "LATENCY_P50", "LATENCY_P95", "LATENCY_P99", "TLS"]
        if isWide { header += ["TCP_CONN", "READ_BYTES/SEC", "WRITE_BYTES/SEC"] }
        // A stream counts when it ends, which may be in hours: only its row would look dead without this column.
        let showsLive = isWide || group.rows.contains(where: \.isOnlyLive)
        if showsLive { header.append("LIVE") }
        var table = TextTable(namespaces ? ["NAMESPACE"] + header : header, leftAligned: namespaces ? 2 : 1)
        for row in group.rows {
            let name = prefixed ? "\(group.kind.words[0])/\(row.name)" : row.name
            var cells = [
                name.visible, row.meshed.map { "\($0.enrolled)/\($0.all)" } ?? "-",
                row.successRate.map { StatTable.decimal($0 * 100, 2) + "%" } ?? "-",
                row.responses > 0 ? StatTable.decimal(row.rate, 1) + "rps" : "-",
                StatTable.latency(row.latency(0.5)), StatTable.latency(row.latency(0.95)),
                StatTable.latency(row.latency(0.99)),
                row.securedShare.map { StatTable.decimal($0 * 100, 0) + "%" } ?? "-",
            ]
            if isWide {
                cells +=
                    row.hasTraffic
                    ? [
                        "\(row.openConnections)", StatTable.decimal(row.readRate, 1) + "B/s",
                        StatTable.decimal(row.writeRate, 1) + "B/s",
                    ] : ["-", "-", "-"]
            }
            if showsLive { cells.append(row.hasTraffic ? "\(row.live)" : "-") }
            table.add(namespaces ? [row.namespace.visible] + cells : cells)
        }
        return table.text
    }

    /// Microseconds as people read them: `478µs`, `1.2ms`, `35ms`. Linkerd has whole milliseconds only, and a proxy
    /// that adds a tenth of one would never show.
    static func latency(_ microseconds: Double?) -> String {
        guard let microseconds else { return "-" }
        let rounded = microseconds.rounded()
        if rounded < 1000 { return "\(Int(rounded))µs" }
        if microseconds < 9950 { return decimal(microseconds / 1000, 1) + "ms" }
        return decimal(microseconds / 1000, 0) + "ms"
    }

    static func decimal(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}
