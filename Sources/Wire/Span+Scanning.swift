// SPDX-License-Identifier: Apache-2.0

/// Eight bytes in one word, the first of them least significant, for tests on all of them at once.
///
/// Each test returns a flag in the top bit of a byte. The sums cannot carry into the next byte, because the operands
/// are below 0x80 once the top bits are masked away; bytes from 0x80 up are dealt with apart.
struct EightBytes {
    let word: UInt64

    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
    static var tops: UInt64 { ones &* 0x80 }

    /// The bytes from 0x80 up.
    var high: UInt64 { word & Self.tops }

    /// Of the bytes below 0x80, those from `low` up.
    @inline(__always)
    func atLeast(_ low: UInt8) -> UInt64 { ((word & ~Self.tops) &+ Self.ones &* UInt64(0x80 &- low)) & Self.tops }

    /// Of the bytes below 0x80, those that are `byte`.
    @inline(__always)
    func equal(_ byte: UInt8) -> UInt64 {
        ~(((word ^ (Self.ones &* UInt64(byte))) & ~Self.tops) &+ ~Self.tops) & Self.tops & ~word
    }

    /// The same bytes with the bit set that lower-case letters have.
    var loweredLetters: EightBytes { EightBytes(word: word | (Self.ones &* 0x20)) }

    /// How many bytes precede the first flag.
    @inline(__always)
    static func index(ofFirst flags: UInt64) -> Int { flags.trailingZeroBitCount &>> 3 }
}

/// The three scans that pass over every byte of a head. Each returns the first offset from `start` whose byte is not in
/// the set, or `count`.
extension Span where Element == UInt8 {
    @inline(__always)
    func eightBytes(at offset: Int) -> EightBytes {
        // Bounds-checked; unsafe only because not every type may be conjured from bytes.
        unsafe EightBytes(
            word: UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
    }

    /// Text, as in values: ``UInt8/isText``.
    @inline(__always)
    func endOfText(from start: Int) -> Int {
        var at = start
        while at &+ 8 <= count {
            let eight = eightBytes(at: at)
            let flags = (~(eight.atLeast(0x20) | eight.high) & EightBytes.tops) | eight.equal(0x7f)
            if flags == 0 {
                at &+= 8
                continue
            }
            at &+= EightBytes.index(ofFirst: flags)
            guard self[at] == .horizontalTab else { return at }
            at &+= 1
        }
        while at < count, self[at].isText { at &+= 1 }
        return at
    }

    /// ``ByteClass/token``, as in names. Letters, digits and dashes go fast, the other fifteen one by one.
    @inline(__always)
    func endOfToken(from start: Int) -> Int {
        var at = start
        while at < count {
            if at &+ 8 <= count {
                let eight = eightBytes(at: at)
                let lowered = eight.loweredLetters
                let letters = lowered.atLeast(0x61) & ~lowered.atLeast(0x7b)
                let digits = eight.atLeast(0x30) & ~eight.atLeast(0x3a)
                let flags = ~((letters | digits | eight.equal(0x2d)) & ~eight.word) & EightBytes.tops
                if flags == 0 {
                    at &+= 8
                    continue
                }
                at &+= EightBytes.index(ofFirst: flags)
            }
            guard ByteClass.token.contains(self[at]) else { return at }
            at &+= 1
        }
        return at
    }

    /// ``ByteClass/target``, as in request targets.
    @inline(__always)
    func endOfTarget(from start: Int) -> Int {
        var at = start
        while at &+ 8 <= count {
            let eight = eightBytes(at: at)
            let visible = eight.atLeast(0x21) & ~eight.atLeast(0x7f) & ~eight.high
            let flags = (~visible & EightBytes.tops) | eight.equal(0x23)
            guard flags == 0 else { return at &+ EightBytes.index(ofFirst: flags) }
            at &+= 8
        }
        while at < count, ByteClass.target.contains(self[at]) { at &+= 1 }
        return at
    }
}
