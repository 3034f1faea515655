// SPDX-License-Identifier: Apache-2.0

/// Where something lies in the buffer that was parsed: offsets, not a copy.
///
/// Good until the caller moves or consumes the bytes. 32 bits, because a head is at most 64 KiB.
package struct ByteRange: Hashable, Sendable, BitwiseCopyable {
    /// Offset of the first byte.
    package let start: UInt32
    /// Offset after the last byte.
    package let end: UInt32

    /// The bytes from `start` up to `end`.
    package init(start: UInt32, end: UInt32) {
        precondition(start <= end, "inverted range")
        self.start = start
        self.end = end
    }

    /// The bytes from `start` up to `end`, from the offsets that loops count with.
    init(_ start: Int, _ end: Int) {
        self.init(start: UInt32(start), end: UInt32(end))
    }

    /// The range of something that is absent.
    package static let empty = ByteRange(start: 0, end: 0)

    /// How many bytes.
    package var count: Int { Int(end &- start) }
    /// Whether there are none.
    package var isEmpty: Bool { start == end }
    /// The offsets as the standard library wants them, to slice a buffer or a span.
    package var indices: Range<Int> { Int(start)..<Int(end) }

    var lower: Int { Int(start) }
    var upper: Int { Int(end) }
}
