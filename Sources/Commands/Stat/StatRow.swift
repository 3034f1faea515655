// SPDX-License-Identifier: Apache-2.0

import Telemetry

/// The numbers of one thing, merged over pods, peers and nodes.
struct StatRow: Sendable {
    let namespace: String
    let name: String
    /// Pods in the mesh and pods; `nil` for what has no pods of its own.
    var meshed: (enrolled: Int, all: Int)?
    private(set) var success: UInt64 = 0
    private(set) var failure: UInt64 = 0
    private(set) var secured: UInt64 = 0
    /// Responses a second.
    private(set) var rate = 0.0
    /// Requests and streams that are open now.
    private(set) var live: UInt64 = 0
    private(set) var openConnections: UInt64 = 0
    private(set) var readRate = 0.0
    private(set) var writeRate = 0.0
    /// Whether anything at all was measured.
    private(set) var hasTraffic = false
    private var bins: [Int: UInt64] = [:]

    init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// Adds what one agent says of one pod and peer in `seconds`.
    mutating func add(_ series: StatReport.Series, over seconds: Double) {
        let responses = series.success + series.failure
        success += series.success
        failure += series.failure
        if series.tls != TransportSecurity.none.label { secured += responses }
        live += series.live
        openConnections += series.tcpOpenConnections
        if seconds > 0 {
            rate += Double(responses) / seconds
            readRate += Double(series.tcpReadBytes) / seconds
            writeRate += Double(series.tcpWriteBytes) / seconds
        }
        if responses + series.live + series.tcpOpenConnections + series.tcpReadBytes + series.tcpWriteBytes > 0 {
            hasTraffic = true
        }
        for index in stride(from: 0, to: series.latencyBins.count - 1, by: 2) {
            bins[Int(series.latencyBins[index]), default: 0] += series.latencyBins[index + 1]
        }
    }

    /// `nil` while there are no responses.
    var successRate: Double? { responses > 0 ? Double(success) / Double(responses) : nil }
    var securedShare: Double? { responses > 0 ? Double(secured) / Double(responses) : nil }
    var responses: UInt64 { success + failure }
    /// Whether it has streams and nothing else to show for them yet.
    var isOnlyLive: Bool { live > 0 && responses == 0 }

    /// Microseconds.
    func latency(_ quantile: Double) -> Double? {
        LatencyBins.quantile(quantile, of: bins.map { (bin: $0.key, count: $0.value) })
    }
}
