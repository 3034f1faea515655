// SPDX-License-Identifier: Apache-2.0

/// A log-linear scale for latencies in microseconds: 16 bins an octave, so a bin's middle is within 3.2 % of every value
/// in it. Bins of any two histograms are the same, so they are merged by adding.
///
/// 0-31 µs have a bin each; from there bin `16 * octave + fraction`. The last bin holds everything from 2^32 µs (72 min).
package enum LatencyBins {
    /// How many bins there are.
    package static let count = 16 * 29

    /// The bin of `microseconds`.
    @inlinable
    package static func index(_ microseconds: UInt64) -> Int {
        if microseconds < 32 { return Int(microseconds) }
        let exponent = 63 - microseconds.leadingZeroBitCount  // at least 5
        let bin = 16 * (exponent - 4) + Int(truncatingIfNeeded: microseconds >> UInt64(exponent - 4))
        return min(bin, count - 1)
    }

    /// The smallest value of a bin, in microseconds.
    package static func lowerBound(_ bin: Int) -> UInt64 {
        if bin < 32 { return UInt64(bin) }
        let exponent = bin / 16 + 3
        return UInt64(16 + bin % 16) << UInt64(exponent - 4)
    }

    /// The smallest value beyond a bin, in microseconds.
    package static func upperBound(_ bin: Int) -> UInt64 {
        bin + 1 < count ? lowerBound(bin + 1) : .max
    }

    /// The upper bounds of Linkerd's `response_latency_ms`, in milliseconds, without `+Inf`.
    package static let linkerdBoundsMs: [UInt64] = [
        1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 5000, 10000, 20000, 30000,
        40000, 50000,
    ]

    /// The value below which a share `quantile` (0...1) of `bins` lies, in microseconds, interpolated inside its bin;
    /// `nil` if the histogram is empty.
    package static func quantile(_ quantile: Double, of bins: some Sequence<(bin: Int, count: UInt64)>) -> Double? {
        let sorted = bins.sorted { $0.bin < $1.bin }
        let total = sorted.reduce(UInt64(0)) { $0 + $1.count }
        guard total > 0 else { return nil }
        let rank = max(quantile * Double(total), .leastNonzeroMagnitude)
        var below: UInt64 = 0
        for entry in sorted {
            if Double(below + entry.count) >= rank {
                let lower = Double(lowerBound(entry.bin))
                let upper = entry.bin + 1 < count ? Double(upperBound(entry.bin)) : lower
                return lower + (upper - lower) * (rank - Double(below)) / Double(entry.count)
            }
            below += entry.count
        }
        return nil
    }
}
