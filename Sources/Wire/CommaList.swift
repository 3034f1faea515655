// SPDX-License-Identifier: Apache-2.0

/// The elements of a comma-separated field value (RFC 9110 §5.6.1), without the blanks around them.
///
/// Empty elements are returned: what they mean is for the field to say.
struct CommaList {
    private var at: Int
    private let end: Int
    private var isFinished = false

    init(_ value: ByteRange) {
        at = value.lower
        end = value.upper
    }

    mutating func next(in bytes: Span<UInt8>) -> ByteRange? {
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
