// SPDX-License-Identifier: Apache-2.0

/// Counts of the few bins of a ``LatencyBins`` scale that are not empty, in order of the bin.
package struct SparseHistogram: Equatable, Sendable {
    package private(set) var entries: [Entry] = []

    package init() {}

    /// A bin and how many values fell into it.
    package struct Entry: Equatable, Sendable, BitwiseCopyable {
        package var bin: UInt16
        package var count: UInt64
    }

    package var isEmpty: Bool { entries.isEmpty }

    /// How many values there are in all.
    package var count: UInt64 { entries.reduce(0) { $0 &+ $1.count } }

    /// Adds `count` values to a bin. O(log bins), and O(bins) the first time that the bin is used.
    package mutating func add(_ count: UInt64, to bin: UInt16) {
        if count == 0 { return }
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].bin < bin { low = middle + 1 } else { high = middle }
        }
        if low < entries.count, entries[low].bin == bin {
            entries[low].count &+= count
        } else {
            entries.insert(Entry(bin: bin, count: count), at: low)
        }
    }

    /// Adds all of another histogram of the same scale.
    package mutating func add(_ other: SparseHistogram) {
        if entries.isEmpty {
            entries = other.entries
        } else {
            for entry in other.entries { add(entry.count, to: entry.bin) }
        }
    }

    /// `[bin, count, bin, count, ...]`, as ``StatReport`` carries it.
    package var flattened: [UInt64] { entries.flatMap { [UInt64($0.bin), $0.count] } }
}

/// The bins that any histogram of a family has used. All series of the family export the same bounds, so that summing
/// them by `le` is sound, and a bound that has appeared stays.
package struct UsedBins: Sendable {
    private var used = [Bool](repeating: false, count: LatencyBins.count)

    package init() {}

    /// Notes the bins of a histogram.
    package mutating func insert(_ histogram: SparseHistogram) {
        for entry in histogram.entries { used[Int(entry.bin)] = true }
    }

    /// The upper bounds to export, as bins: every used one, and the one before it if that is empty, because a reader
    /// interpolates between neighbouring bounds and would be far off if the lower one were missing.
    package var bounds: [Int] {
        // The last bin has no upper bound but +Inf, which every histogram has.
        (0..<LatencyBins.count - 1).filter { used[$0] || used[$0 + 1] }
    }
}

extension Exposition {
    /// A histogram over the bounds of ``UsedBins``, in units of `unit` seconds.
    package mutating func histogram(
        _ labels: LabelSet, _ histogram: SparseHistogram, over bins: [Int], bounds: [String], sum: Double
    ) {
        var counts = [UInt64](repeating: 0, count: bins.count + 1)
        var at = 0
        for entry in histogram.entries {
            while at < bins.count, bins[at] < Int(entry.bin) { at += 1 }
            counts[at] += entry.count
        }
        self.histogram(labels, bounds: bounds, counts: counts, sum: Exposition.text(sum))
    }

    /// The `le` values of ``UsedBins/bounds``, for bins in units of `unit` seconds.
    package static func bounds(_ bins: [Int], unitsPerSecond: Double) -> [String] {
        bins.map { text(Double(LatencyBins.upperBound($0)) / unitsPerSecond) }
    }
}
