// SPDX-License-Identifier: Apache-2.0

/// A set of TCP ports, written as single ports and ranges: `25`, `4000-4010`.
package struct PortSet: Hashable, Sendable {
    /// Sorted, not overlapping, not touching.
    package private(set) var ranges: [ClosedRange<UInt16>]

    /// The set of all ports in `ranges`, which may overlap and come in any order.
    package init(_ ranges: [ClosedRange<UInt16>] = []) {
        var merged: [ClosedRange<UInt16>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, Int(range.lowerBound) <= Int(last.upperBound) + 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged
    }

    /// Parses one port or one range; `nil` for anything else, port 0 and ranges that run backwards included.
    package static func range(_ text: some StringProtocol) -> ClosedRange<UInt16>? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard let first = parts.first.flatMap({ UInt16($0) }), first > 0, parts.count <= 2 else { return nil }
        guard parts.count == 2 else { return first...first }
        guard let last = UInt16(parts[1]), last >= first else { return nil }
        return first...last
    }

    /// Whether the set has `port`. O(ranges).
    package func contains(_ port: UInt16) -> Bool {
        for range in ranges where range.contains(port) { return true }
        return false
    }

    package var isEmpty: Bool { ranges.isEmpty }

    /// Linkerd's list of protocols in which the server speaks first or which are never HTTP.
    package static let wellKnownOpaque = PortSet([
        25...25, 587...587, 3306...3306, 4444...4444, 5432...5432, 6379...6379, 9300...9300, 11211...11211,
    ])
}
