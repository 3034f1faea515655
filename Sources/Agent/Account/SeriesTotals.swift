// SPDX-License-Identifier: Apache-2.0

import ProxyLink
import Telemetry

/// All requests and responses of one series since the agent started, or since the series appeared.
struct HTTPTotals: Sendable {
    var requests: UInt64 = 0
    var responses: [Outcome: Responses] = [:]
    /// When the series last changed, in the store's seconds.
    var touched = 0.0

    /// What tells responses of one series apart.
    struct Outcome: Hashable, Sendable {
        var status: UInt16
        var isSuccess: Bool
        /// As in ``HTTPSeriesDelta/Responses``.
        var grpcStatus: UInt8
    }

    struct Responses: Sendable {
        var count: UInt64 = 0
        var latencySumMs: UInt64 = 0
        var latencyMs = [UInt64](repeating: 0, count: LatencyBins.linkerdBoundsMs.count + 1)
    }

    mutating func add(_ delta: HTTPSeriesDelta) {
        requests &+= delta.requests
        for entry in delta.responses {
            let outcome = Outcome(status: entry.status, isSuccess: entry.isSuccess, grpcStatus: entry.grpcStatus)
            var totals = responses[outcome] ?? Responses()
            totals.count &+= entry.count
            totals.latencySumMs &+= entry.latencySumMs
            for bin in entry.latencyMs { totals.latencyMs[Int(bin.bin)] &+= UInt64(bin.count) }
            responses[outcome] = totals
        }
    }
}

/// All connections and bytes of one series.
struct TCPTotals: Sendable {
    var opened: UInt64 = 0
    var closed: [Int32: UInt64] = [:]
    var readBytes: UInt64 = 0
    var writtenBytes: UInt64 = 0
    var touched = 0.0

    mutating func add(_ delta: TCPSeriesDelta) {
        opened &+= delta.opened
        for entry in delta.closed { closed[entry.errno, default: 0] &+= entry.count }
        readBytes &+= delta.readBytes
        writtenBytes &+= delta.writtenBytes
    }
}

/// What is counted per pod and not per peer.
struct PodTotals: Sendable {
    var processorNanoseconds: UInt64 = 0
    var failures: [FailureKey: UInt64] = [:]
    /// By ``Direction``.
    var sides = [Side(), Side()]
    var touched = 0.0

    struct FailureKey: Hashable, Sendable {
        var direction: Direction
        var reason: Failure.Reason
    }

    /// One direction of a pod.
    struct Side: Sendable {
        var latency = SparseHistogram()
        var latencySumMicroseconds: UInt64 = 0
        /// In units of 100 ns.
        var overhead = SparseHistogram()
        var overheadSumNanoseconds: UInt64 = 0
        /// The kernel's round-trip times, one for each connection that ended.
        var roundTrip = SparseHistogram()
        var roundTripSumMicroseconds: UInt64 = 0
        var retransmits: UInt64 = 0
        var connections: UInt64 = 0
    }
}
