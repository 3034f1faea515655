// SPDX-License-Identifier: Apache-2.0

import Model
import ProxyLink
import Telemetry

/// A worker's series. Finding one that exists does not allocate.
struct SeriesTable: ~Copyable {
    /// The most HTTP series of one worker, about 5 KiB each: 50 MiB. Beyond it authorities are folded together.
    static let httpLimit = 10_000
    /// Series without traffic are forgotten after this time, in nanoseconds: 10 minutes, as Linkerd has it.
    static let idleLimit: UInt64 = 600_000_000_000
    private static let bucketCount = 4096

    private let buckets: UnsafeMutablePointer<HTTPSeriesRef?>
    private(set) var httpCount = 0
    private var tcp: [TCPSeriesKey: TCPSeriesRef] = [:]
    /// Requests whose authority was folded because of a limit.
    var authorityOverflow: UInt64 = 0

    init() {
        buckets = .allocate(capacity: SeriesTable.bucketCount)
        buckets.initialize(repeating: nil, count: SeriesTable.bucketCount)
    }

    deinit {
        for index in 0..<SeriesTable.bucketCount {
            while let series = buckets[index] {
                buckets[index] = series.pointee.next
                series.deinitialize(count: 1)
                series.deallocate()
            }
        }
        buckets.deallocate()
        for series in tcp.values {
            series.deinitialize(count: 1)
            series.deallocate()
        }
    }

    /// FNV-1a of the lower-cased bytes.
    static func hash(_ authority: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in authority { hash = (hash ^ UInt64(lowercase(byte))) &* 0x100_0000_01b3 }
        return hash
    }

    /// The series for a request; made if there is none.
    mutating func http(
        _ key: HTTPSeries.Key, authority: UnsafeRawBufferPointer, pod: PodRef, now: UInt64
    ) -> HTTPSeriesRef {
        if let found = find(key, authority) {
            found.pointee.lastUsed = now
            return found
        }
        let isFull = httpCount >= SeriesTable.httpLimit || pod.pointee.authorities >= Pod.authorityLimit
        if isFull && !authority.isEmpty {
            authorityOverflow += 1
            let empty = UnsafeRawBufferPointer(start: nil, count: 0)
            let folded = HTTPSeries.Key(
                pod: key.pod, peer: key.peer, service: key.service, authorityHash: SeriesTable.hash(empty),
                direction: key.direction, security: key.security)
            return http(folded, authority: empty, pod: pod, now: now)
        }
        if !authority.isEmpty { pod.pointee.authorities += 1 }
        return insert(key, authority, now)
    }

    private func find(_ key: HTTPSeries.Key, _ authority: UnsafeRawBufferPointer) -> HTTPSeriesRef? {
        var next = buckets[Int(truncatingIfNeeded: key.hash % UInt64(SeriesTable.bucketCount))]
        while let series = next {
            if series.pointee.key == key && isEqual(series, authority) { return series }
            next = series.pointee.next
        }
        return nil
    }

    private func isEqual(_ series: HTTPSeriesRef, _ authority: UnsafeRawBufferPointer) -> Bool {
        guard series.pointee.authority.count == min(authority.count, 255) else { return false }
        for index in 0..<series.pointee.authority.count
        where series.pointee.authority[index] != SeriesTable.lowercase(authority[index]) {
            return false
        }
        return true
    }

    @inline(never)
    private mutating func insert(
        _ key: HTTPSeries.Key, _ authority: UnsafeRawBufferPointer, _ now: UInt64
    ) -> HTTPSeriesRef {
        let series = HTTPSeriesRef.allocate(capacity: 1)
        series.initialize(to: HTTPSeries(key: key, authority: authority.prefix(255).map(SeriesTable.lowercase)))
        series.pointee.lastUsed = now
        let bucket = Int(truncatingIfNeeded: key.hash % UInt64(SeriesTable.bucketCount))
        series.pointee.next = buckets[bucket]
        buckets[bucket] = series
        httpCount += 1
        return series
    }

    /// The series for a connection; made if there is none.
    mutating func tcp(_ key: TCPSeriesKey) -> TCPSeriesRef {
        if let found = tcp[key] { return found }
        let series = TCPSeriesRef.allocate(capacity: 1)
        series.initialize(to: TCPSeries(key: key))
        tcp[key] = series
        return series
    }

    /// A new agent is told of every open request.
    func reportAllLive() {
        for bucket in 0..<SeriesTable.bucketCount {
            var next = buckets[bucket]
            while let series = next {
                series.pointee.reportAllLive()
                next = series.pointee.next
            }
        }
    }

    /// Hands every series that counted something to `body`, and forgets those that are idle.
    mutating func collect(now: UInt64, pods: [StableID: PodRef], _ body: (CounterDelta) -> Void) {
        for bucket in 0..<SeriesTable.bucketCount {
            var previous: HTTPSeriesRef?
            var next = buckets[bucket]
            while let series = next {
                next = series.pointee.next
                if series.pointee.isDirty { body(.http(series.pointee.linkKey, series.pointee.takeDelta())) }
                if series.pointee.users == 0 && series.pointee.lastUsed + SeriesTable.idleLimit < now {
                    if let previous { previous.pointee.next = next } else { buckets[bucket] = next }
                    if !series.pointee.authority.isEmpty { pods[series.pointee.key.pod]?.pointee.authorities -= 1 }
                    series.deinitialize(count: 1)
                    series.deallocate()
                    httpCount -= 1
                } else {
                    previous = series
                }
            }
        }
        var idle: [TCPSeriesKey] = []
        for (key, series) in tcp {
            if let delta = series.pointee.takeDelta() { body(.tcp(key, delta)) }
            if series.pointee.users == 0 && series.pointee.lastUsed + SeriesTable.idleLimit < now { idle.append(key) }
        }
        for key in idle {
            guard let series = tcp.removeValue(forKey: key) else { continue }
            series.deinitialize(count: 1)
            series.deallocate()
        }
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }
}
