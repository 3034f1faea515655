// SPDX-License-Identifier: Apache-2.0

/// The elements of a comma-separated field value (RFC 9110 §5.6.1), without the blanks around them.
///
/// Empty elements are returned: what they mean is for the field to say.
package struct CommaList {
    private var at: Int
    private let end: Int
    private var isFinished = false

    /// The elements of the list at `value`.
    package init(_ value: ByteRange) {
        at = value.lower
        end = value.upper
    }

    /// The next element, possibly empty; `nil` after the last one.
    package mutating func next(in bytes: Span<UInt8>) -> ByteRange? {
        guard !isFinished else { return nil }
        var start = at
        while at < end, bytes[at] != .comma { at &+= 1 }
        var stop = at
        isFinished = at == end
        at &+= 1
        while start < stop, bytes[start].isBlank { start &+= 1 }
        while stop > start, bytes[stop &- 1].isBlank { stop &-= 1 }
        return ByteRange(start, stop)
    }
}
