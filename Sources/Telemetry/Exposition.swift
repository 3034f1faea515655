// SPDX-License-Identifier: Apache-2.0

/// A page in the Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
///
/// Families must be begun one after the other and once each; within a family a label set may come once only. The writer
/// does not check either: the tests do.
package struct Exposition: Sendable {
    /// The page so far, UTF-8.
    package private(set) var bytes: [UInt8] = []
    private var family = ""

    /// The `Content-Type` of the page.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package init(reserving capacity: Int = 65_536) { bytes.reserveCapacity(capacity) }

    /// Starts a family: its samples follow.
    package mutating func begin(_ family: MetricFamily) {
        self.family = family.name
        write("# HELP \(family.name) \(family.help)\n# TYPE \(family.name) \(family.kind.rawValue)\n")
    }

    /// One sample of a counter or gauge.
    package mutating func sample(_ labels: LabelSet = .none, _ value: some BinaryInteger) {
        write(labels, suffix: "", bound: nil, value: "\(value)")
    }

    /// One sample of a counter or gauge in fractional units.
    package mutating func sample(_ labels: LabelSet = .none, _ value: Double) {
        write(labels, suffix: "", bound: nil, value: Exposition.text(value))
    }

    /// A histogram from counts per bucket, not cumulative: one for each of `bounds`, and one more for what is beyond.
    package mutating func histogram(_ labels: LabelSet, bounds: [String], counts: [UInt64], sum: String) {
        precondition(counts.count == bounds.count + 1)
        var below: UInt64 = 0
        for (bound, count) in zip(bounds, counts) {
            below += count
            write(labels, suffix: "_bucket", bound: bound, value: "\(below)")
        }
        below += counts[bounds.count]
        write(labels, suffix: "_bucket", bound: "+Inf", value: "\(below)")
        write(labels, suffix: "_sum", bound: nil, value: sum)
        write(labels, suffix: "_count", bound: nil, value: "\(below)")
    }

    /// A number as the format wants it.
    package static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value.description
    }

    private mutating func write(_ labels: LabelSet, suffix: String, bound: String?, value: String) {
        write(family)
        write(suffix)
        if !labels.text.isEmpty || bound != nil {
            write("{")
            write(labels.text)
            if let bound {
                if !labels.text.isEmpty { write(",") }
                write("le=\"")
                write(bound)
                write("\"")
            }
            write("}")
        }
        write(" ")
        write(value)
        write("\n")
    }

    private mutating func write(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
