// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A ``StatSummary`` for programs, with Linkerd's keys: an array of rows, null where nothing was measured.
struct StatJSON {
    let summary: StatSummary

    private struct Row: Encodable {
        let namespace, kind, name: String
        let meshed: String?
        let success, rps, p50, p95, p99, tls: Double?
        let live, connections: UInt64?
        let readRate, writeRate: Double?

        enum CodingKeys: String, CodingKey {
            case namespace, kind, name, meshed, success, rps, tls
            case p50 = "latency_ms_p50"
            case p95 = "latency_ms_p95"
            case p99 = "latency_ms_p99"
            case live = "live_streams"
            case connections = "tcp_open_connections"
            case readRate = "tcp_read_bytes_rate"
            case writeRate = "tcp_write_bytes_rate"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(namespace, forKey: .namespace)
            try container.encode(kind, forKey: .kind)
            try container.encode(name, forKey: .name)
            if let meshed { try container.encode(meshed, forKey: .meshed) }
            // `encode`, not `encodeIfPresent`: what is unknown is null, not missing.
            for (key, value) in [
                (CodingKeys.success, success), (.rps, rps), (.p50, p50), (.p95, p95), (.p99, p99), (.tls, tls),
                (.readRate, readRate), (.writeRate, writeRate),
            ] {
                try container.encode(value, forKey: key)
            }
            try container.encode(live, forKey: .live)
            try container.encode(connections, forKey: .connections)
        }
    }

    func text() throws -> String {
        let rows = summary.groups.flatMap { group in
            group.rows.map { row in
                Row(
                    namespace: row.namespace, kind: group.kind.jsonName, name: row.name,
                    meshed: row.meshed.map { "\($0.enrolled)/\($0.all)" },
                    success: row.successRate.map(StatJSON.rounded),
                    rps: row.responses > 0 ? StatJSON.rounded(row.rate) : nil, p50: milliseconds(row, 0.5),
                    p95: milliseconds(row, 0.95), p99: milliseconds(row, 0.99),
                    tls: row.securedShare.map(StatJSON.rounded),
                    live: row.hasTraffic ? row.live : nil,
                    connections: row.hasTraffic ? row.openConnections : nil,
                    readRate: row.hasTraffic ? StatJSON.rounded(row.readRate) : nil,
                    writeRate: row.hasTraffic ? StatJSON.rounded(row.writeRate) : nil)
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(rows), as: UTF8.self)
    }

    private func milliseconds(_ row: StatRow, _ quantile: Double) -> Double? {
        row.latency(quantile).map { ($0).rounded() / 1000 }
    }

    /// Four digits after the point: more would be noise.
    private static func rounded(_ value: Double) -> Double { (value * 10_000).rounded() / 10_000 }
}
