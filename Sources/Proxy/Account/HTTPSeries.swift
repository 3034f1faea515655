// SPDX-License-Identifier: Apache-2.0

import Model
import ProxyLink
import Telemetry
import Wire

typealias HTTPSeriesRef = UnsafeMutablePointer<HTTPSeries>

/// Requests of one pod, direction, peer, service and authority since the last collection.
///
/// Everything is counted in place: recording a response is a handful of additions.
struct HTTPSeries: ~Copyable {
    /// What a request is looked up by; equal keys still have to compare ``authority``.
    struct Key: Equatable, BitwiseCopyable {
        let pod: StableID
        let peer: StableID
        let service: StableID
        let authorityHash: UInt64
        let direction: Direction
        let security: TransportSecurity

        var hash: UInt64 {
            var value = pod.rawValue ^ (peer.rawValue &* 3) ^ (service.rawValue &* 5) ^ authorityHash
            value ^= UInt64(direction.rawValue) << 8 | UInt64(security.rawValue)
            value = (value ^ (value >> 32)) &* 0x9E37_79B9_7F4A_7C15
            return value ^ (value >> 29)
        }
    }

    /// Responses with one status and outcome.
    struct StatusRow: BitwiseCopyable {
        var status: UInt16 = 0
        var isSuccess = false
        var grpcStatus = GRPC.noStatus
        var count: UInt64 = 0
        var latencySumMs: UInt64 = 0
        var latencyMs = InlineArray<26, UInt32>(repeating: 0)
    }

    /// How many statuses are told apart in one series and one second: all of gRPC's and a few of HTTP's. What exceeds them
    /// is counted with a row of the same outcome.
    static let statusRows = 22

    let key: Key
    /// Lower case, at most 255 bytes.
    let authority: [UInt8]
    /// Exchanges that point here.
    var users = 0
    var isDirty = false
    var lastUsed: UInt64 = 0
    var next: HTTPSeriesRef?

    var requests: UInt64 = 0
    /// Requests that are open now, less those at the last collection.
    var liveChange: Int32 = 0
    var rows = InlineArray<22, StatusRow>(repeating: StatusRow())
    var rowCount = 0
    var latencySum: UInt64 = 0
    var overheadSum: UInt64 = 0
    let latency: UnsafeMutablePointer<UInt32>
    let overhead: UnsafeMutablePointer<UInt32>

    init(key: Key, authority: [UInt8]) {
        self.key = key
        self.authority = authority
        latency = .allocate(capacity: LatencyBins.count)
        latency.initialize(repeating: 0, count: LatencyBins.count)
        overhead = .allocate(capacity: LatencyBins.count)
        overhead.initialize(repeating: 0, count: LatencyBins.count)
    }

    deinit {
        latency.deallocate()
        overhead.deallocate()
    }

    /// How a request ended; times in nanoseconds.
    struct Answer: BitwiseCopyable {
        let status: UInt16
        let grpcStatus: UInt8
        let isSuccess: Bool
        let latency: UInt64
        let overhead: UInt64
    }

    /// A request begins.
    mutating func begin() {
        requests &+= 1
        isDirty = true
        users += 1
        liveChange += 1
    }

    /// A request that was begun has ended.
    mutating func end(_ answer: Answer) {
        users -= 1
        liveChange -= 1
        record(answer)
    }

    /// A request that was begun is counted elsewhere.
    mutating func giveUp() {
        users -= 1
        liveChange -= 1
        isDirty = true
    }

    /// A new agent knows of no open request: all of them are news.
    mutating func reportAllLive() {
        guard users > 0 || liveChange != 0 else { return }
        liveChange = Int32(truncatingIfNeeded: users)
        isDirty = true
    }

    private mutating func record(_ answer: Answer) {
        let microseconds = answer.latency / 1000
        let milliseconds = microseconds / 1000
        let row = rowIndex(answer)
        rows[row].count &+= 1
        rows[row].latencySumMs &+= milliseconds
        rows[row].latencyMs[HTTPSeries.linkerdBucket(milliseconds)] &+= 1
        latency[LatencyBins.index(microseconds)] &+= 1
        latencySum &+= microseconds
        overhead[LatencyBins.index(answer.overhead / 100)] &+= 1
        overheadSum &+= answer.overhead
        isDirty = true
    }

    private mutating func rowIndex(_ answer: Answer) -> Int {
        for index in 0..<rowCount
        where rows[index].status == answer.status && rows[index].isSuccess == answer.isSuccess
            && rows[index].grpcStatus == answer.grpcStatus
        {
            return index
        }
        if rowCount < HTTPSeries.statusRows {
            rows[rowCount].status = answer.status
            rows[rowCount].isSuccess = answer.isSuccess
            rows[rowCount].grpcStatus = answer.grpcStatus
            rowCount += 1
            return rowCount - 1
        }
        for index in 0..<rowCount where rows[index].isSuccess == answer.isSuccess { return index }
        return rowCount - 1
    }

    /// The first bucket whose bound is not below `milliseconds`: Linkerd's bounds are inclusive.
    static func linkerdBucket(_ milliseconds: UInt64) -> Int {
        // Most answers take a few milliseconds, so a plain scan ends at once.
        for index in 0..<25 where milliseconds <= bounds[index] { return index }
        return 25
    }

    private static let bounds: InlineArray<25, UInt64> = [
        1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 5000, 10000, 20000, 30000,
        40000, 50000,
    ]

    /// What has been counted, and nothing counted any more.
    mutating func takeDelta() -> HTTPSeriesDelta {
        var delta = HTTPSeriesDelta()
        delta.requests = requests
        delta.liveChange = liveChange
        for index in 0..<rowCount {
            var buckets: [BinCount] = []
            for bucket in 0..<26 where rows[index].latencyMs[bucket] > 0 {
                buckets.append(BinCount(bin: UInt16(bucket), count: rows[index].latencyMs[bucket]))
            }
            delta.responses.append(
                HTTPSeriesDelta.Responses(
                    status: rows[index].status, grpcStatus: rows[index].grpcStatus, isSuccess: rows[index].isSuccess,
                    count: rows[index].count,
                    latencySumMs: rows[index].latencySumMs, latencyMs: buckets))
            rows[index] = StatusRow()
        }
        delta.latency = HTTPSeries.takeBins(latency)
        delta.latencySumMicroseconds = latencySum
        delta.overhead = HTTPSeries.takeBins(overhead)
        delta.overheadSumNanoseconds = overheadSum
        (requests, rowCount, latencySum, overheadSum, liveChange, isDirty) = (0, 0, 0, 0, 0, false)
        return delta
    }

    private static func takeBins(_ bins: UnsafeMutablePointer<UInt32>) -> [BinCount] {
        var counts: [BinCount] = []
        for bin in 0..<LatencyBins.count where bins[bin] > 0 {
            counts.append(BinCount(bin: UInt16(bin), count: bins[bin]))
            bins[bin] = 0
        }
        return counts
    }

    var linkKey: HTTPSeriesKey {
        HTTPSeriesKey(
            pod: key.pod, direction: key.direction, peer: key.peer, service: key.service, security: key.security,
            authority: String(decoding: authority, as: UTF8.self))
    }
}
