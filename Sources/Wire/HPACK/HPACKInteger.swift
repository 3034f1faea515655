// SPDX-License-Identifier: Apache-2.0

/// Integers that begin inside a byte (RFC 7541 §5.1).
enum HPACKInteger {
    /// The largest value that is accepted. No index, length or size that we could use comes near it.
    static let maximum = 1 << 28

    /// The most bytes that ``encode(_:prefixBits:pattern:to:)`` writes for a value below 2^32.
    static let maximumBytes = 6

    /// The most continuation bytes: five carry 35 bits, so a sixth can only be a zero that somebody added.
    private static let maximumContinuations = 5

    /// Reads the integer whose first byte is at `at` and moves `at` behind it.
    @inline(__always)
    static func decode(_ bytes: Span<UInt8>, _ at: inout Int, prefixBits: Int) throws(HPACKError) -> Int {
        guard at < bytes.count else { throw .truncated }
        let full = (1 &<< prefixBits) &- 1
        let value = Int(bytes[at]) & full
        at &+= 1
        return value < full ? value : try decodeRest(bytes, &at, prefix: full)
    }

    @inline(never)
    private static func decodeRest(_ bytes: Span<UInt8>, _ at: inout Int, prefix: Int) throws(HPACKError) -> Int {
        var value = prefix
        for step in 0..<maximumContinuations {
            guard at < bytes.count else { throw .truncated }
            let byte = bytes[at]
            at &+= 1
            value &+= Int(byte & 0x7f) &<< (7 &* step)  // below 2^36: no overflow
            guard value <= maximum else { throw .integerOverflow }
            if byte < 0x80 { return value }
        }
        throw .integerOverflow
    }

    /// Writes `value` into the low `prefixBits` of a first byte that begins with `pattern`, and what does not fit into
    /// bytes after it. Returns the bytes written.
    @inline(__always)
    static func encode(_ value: Int, prefixBits: Int, pattern: UInt8, to output: UnsafeMutableRawPointer) -> Int {
        let full = (1 &<< prefixBits) &- 1
        guard value >= full else {
            unsafe output.storeBytes(of: pattern | UInt8(truncatingIfNeeded: value), as: UInt8.self)
            return 1
        }
        unsafe output.storeBytes(of: pattern | UInt8(truncatingIfNeeded: full), as: UInt8.self)
        var rest = value &- full
        var count = 1
        while rest >= 0x80 {
            unsafe output.storeBytes(
                of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            rest &>>= 7
            count &+= 1
        }
        unsafe output.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        return count &+ 1
    }
}
