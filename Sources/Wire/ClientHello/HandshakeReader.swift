// SPDX-License-Identifier: Apache-2.0

/// Reads one handshake message that may be cut into several records, without putting it together.
struct HandshakeReader {
    enum Stop: Error {
        /// The bytes end before the message does.
        case incomplete
        case malformed
    }

    private var at = 0
    private var leftInRecord = 0
    /// What is left of the message. Without limit until its length is known.
    private(set) var left = Int.max

    /// Sets what is left of the message, once its length has been read.
    mutating func limit(to count: Int) throws(Stop) {
        guard count <= ClientHello.maximumBytes else { throw .malformed }
        left = count
    }

    /// The next `width` bytes as a number, most significant first.
    mutating func number(_ bytes: Span<UInt8>, width: Int) throws(Stop) -> Int {
        var number = 0
        for _ in 0..<width {
            guard left > 0 else { throw .malformed }
            try openRecord(bytes)
            guard at < bytes.count else { throw .incomplete }
            number = number &<< 8 | Int(bytes[at])
            advance(1)
        }
        return number
    }

    /// Passes over `count` bytes.
    mutating func skip(_ bytes: Span<UInt8>, _ count: Int) throws(Stop) {
        guard count <= left else { throw .malformed }
        var count = count
        while count > 0 {
            try openRecord(bytes)
            let step = min(count, leftInRecord, bytes.count - at)
            guard step > 0 else { throw .incomplete }
            advance(step)
            count -= step
        }
    }

    /// Where the next `count` bytes lie, or `nil` if a record ends among them.
    mutating func contiguous(_ bytes: Span<UInt8>, _ count: Int) throws(Stop) -> ByteRange? {
        guard count <= left else { throw .malformed }
        try openRecord(bytes)
        guard count <= leftInRecord else { return nil }
        guard count <= bytes.count - at else { throw .incomplete }
        let range = ByteRange(at, at + count)
        advance(count)
        return range
    }

    private mutating func advance(_ count: Int) {
        at += count
        leftInRecord -= count
        left -= count
    }

    /// Steps over a record header if the last record is used up.
    private mutating func openRecord(_ bytes: Span<UInt8>) throws(Stop) {
        guard leftInRecord == 0 else { return }
        if at < bytes.count, bytes[at] != 0x16 { throw .malformed }
        if at + 1 < bytes.count, bytes[at + 1] != 3 { throw .malformed }
        guard at + 5 <= bytes.count else { throw .incomplete }
        leftInRecord = Int(bytes[at + 3]) << 8 | Int(bytes[at + 4])
        // An empty handshake record is forbidden (RFC 8446 §5.1), and would let a peer keep us reading.
        guard 1...ClientHello.maximumRecordBytes ~= leftInRecord else { throw .malformed }
        at += 5
    }
}
