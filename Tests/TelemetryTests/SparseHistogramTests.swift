// SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite("Sparse histograms")
struct SparseHistogramTests {
    @Test("bins come out in order however they went in, and merging adds")
    func order() {
        var one = SparseHistogram()
        for bin in [9, 2, 40, 2, 9, 9] as [UInt16] { one.add(1, to: bin) }
        #expect(one.flattened == [2, 2, 9, 3, 40, 1])
        var other = SparseHistogram()
        other.add(5, to: 3)
        other.add(1, to: 40)
        other.add(0, to: 7)
        one.add(other)
        #expect(one.flattened == [2, 2, 3, 5, 9, 3, 40, 2])
        #expect(one.count == 12)
    }

    @Test("every used bin has both of its bounds, and all series have the same ones")
    func bounds() {
        var used = UsedBins()
        var first = SparseHistogram()
        first.add(1, to: 50)
        used.insert(first)
        var second = SparseHistogram()
        second.add(4, to: 90)
        used.insert(second)
        #expect(used.bounds == [49, 50, 89, 90])

        var page = Exposition()
        page.begin(MetricFamily("h_seconds", .histogram, "H."))
        page.histogram(
            .none, second, over: used.bounds, bounds: Exposition.bounds(used.bounds, unitsPerSecond: 1e6), sum: 1)
        let buckets = String(decoding: page.bytes, as: UTF8.self).split(separator: "\n").filter {
            $0.contains("bucket")
        }
        #expect(buckets.map { $0.split(separator: " ").last } == ["0", "0", "0", "4", "4"])
    }

    @Test("the last bin is beyond every bound")
    func lastBin() {
        var used = UsedBins()
        var histogram = SparseHistogram()
        histogram.add(2, to: UInt16(LatencyBins.count - 1))
        used.insert(histogram)
        #expect(used.bounds == [LatencyBins.count - 2])
        var page = Exposition()
        page.histogram(
            .none, histogram, over: used.bounds, bounds: Exposition.bounds(used.bounds, unitsPerSecond: 1e6), sum: 1)
        let text = String(decoding: page.bytes, as: UTF8.self)
        #expect(text.contains("le=\"+Inf\"} 2") && text.contains("_count 2"))
    }

    @Test(
        "a quantile read from the exported bounds is within 5 % of the value",
        arguments: [33, 100, 999, 12_345, 3_000_000])
    func error(value: UInt64) {
        let bin = LatencyBins.index(value)
        let middle = Double(LatencyBins.lowerBound(bin) + LatencyBins.upperBound(bin)) / 2
        #expect(abs(middle - Double(value)) / Double(value) < 0.05)
    }
}
