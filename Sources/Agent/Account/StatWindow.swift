// SPDX-License-Identifier: Apache-2.0

import ProxyLink
import Telemetry

/// The last ten minutes: one slot for each collection of the last minute, one for each ten seconds before.
struct StatWindow: Sendable {
    /// The longest window that can be asked for, in seconds.
    static let maximumSeconds = 600.0
    /// How long collections are kept apart, in seconds.
    static let fineSeconds = 60.0
    /// How long a slot of merged collections is, in seconds.
    static let coarseSeconds = 10.0

    /// Counts of the time from `start` to `end`, in the store's seconds.
    struct Slot: Sendable {
        var start: Double
        var end: Double
        var http: [HTTPSeriesKey: HTTPCount] = [:]
        var tcp: [TCPSeriesKey: TCPCount] = [:]

        mutating func merge(_ other: Slot) {
            start = min(start, other.start)
            end = max(end, other.end)
            for (key, count) in other.http { http[key, default: .init()].add(count) }
            for (key, count) in other.tcp { tcp[key, default: .init()].add(count) }
        }
    }

    struct HTTPCount: Sendable {
        var success: UInt64 = 0
        var failure: UInt64 = 0
        var latency = SparseHistogram()

        mutating func add(_ other: HTTPCount) {
            success &+= other.success
            failure &+= other.failure
            latency.add(other.latency)
        }
    }

    struct TCPCount: Sendable {
        var readBytes: UInt64 = 0
        var writtenBytes: UInt64 = 0

        mutating func add(_ other: TCPCount) {
            readBytes &+= other.readBytes
            writtenBytes &+= other.writtenBytes
        }
    }

    /// Oldest first.
    private var coarse: [Slot] = []
    private var fine: [Slot] = []

    /// Adds the newest collection; older ones move on or are forgotten.
    mutating func append(_ slot: Slot) {
        fine.append(slot)
        let now = slot.end
        let moving = fine.prefix { $0.end <= now - StatWindow.fineSeconds }.count
        for old in fine[..<moving] {
            if let last = coarse.last, old.end - last.start <= StatWindow.coarseSeconds {
                coarse[coarse.count - 1].merge(old)
            } else {
                coarse.append(old)
            }
        }
        fine.removeFirst(moving)
        coarse.removeFirst(coarse.prefix { $0.end <= now - StatWindow.maximumSeconds }.count)
    }

    /// The sum of the slots that lie mostly in the last `seconds` before `now`. Its `start` and `end` say what it really
    /// covers; `nil` if there is nothing.
    func sum(last seconds: Double, now: Double) -> Slot? {
        let slots = (coarse + fine).filter { ($0.start + $0.end) / 2 >= now - seconds }
        guard var sum = slots.first else { return nil }
        for slot in slots.dropFirst() { sum.merge(slot) }
        return sum
    }
}
