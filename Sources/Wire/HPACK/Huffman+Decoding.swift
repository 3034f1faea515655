// SPDX-License-Identifier: Apache-2.0

extension Huffman {
    /// Decodes the string in `range` of a block (RFC 7541 §5.2): writes its first `capacity` bytes, counts them all.
    ///
    /// The next bits stand at the top of a word. Below those that are counted there may be more, left of a read that
    /// brought a part of a byte: they are what the next read brings again, so it can be or-ed over them. What follows
    /// the last bit does not matter, because no code begins another.
    ///
    /// - Returns: how many bytes the string has, at most 8/5 of what encodes it.
    func decode(
        _ bytes: Span<UInt8>, _ range: Range<Int>, to output: UnsafeMutableRawPointer, capacity: Int
    ) throws(HPACKError) -> Int {
        precondition(range.upperBound <= bytes.count, "string outside of the block")
        var at = range.lowerBound
        let end = range.upperBound
        var window: UInt64 = 0
        var bits = 0
        var count = 0

        while at &+ 8 <= end {
            // Bounds-checked; unsafe only because not every type may be conjured from bytes.
            let eight = unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
            window |= UInt64(bigEndian: eight) &>> UInt64(bits)
            at &+= (63 &- bits) &>> 3
            bits |= 56
            while bits >= Self.longestCode {
                let code = next(window)
                guard code.symbol != Self.endOfString else { throw .badHuffman }
                window &<<= UInt64(code.bits)
                bits &-= Int(code.bits)
                if count < capacity {
                    unsafe (output + count).storeBytes(of: UInt8(truncatingIfNeeded: code.symbol), as: UInt8.self)
                }
                count &+= 1
            }
        }
        while true {
            while bits <= 56, at < end {
                window |= UInt64(bytes[at]) &<< UInt64(56 &- bits)
                bits &+= 8
                at &+= 1
            }
            let code = next(window)
            guard Int(code.bits) <= bits else { break }
            guard code.symbol != Self.endOfString else { throw .badHuffman }
            window &<<= UInt64(code.bits)
            bits &-= Int(code.bits)
            if count < capacity {
                unsafe (output + count).storeBytes(of: UInt8(truncatingIfNeeded: code.symbol), as: UInt8.self)
            }
            count &+= 1
        }
        // What is left is padding: less than a byte, and the beginning of EOS, which is all ones.
        guard bits < 8, bits == (~window).leadingZeroBitCount || bits == 0 else { throw .badHuffman }
        return count
    }

    /// The code at the top of a word, of which at least 30 bits should be there.
    @inline(__always)
    private func next(_ window: UInt64) -> Code {
        let code = unsafe short[Int(window &>> 56)]
        return code.bits != 0 ? code : nextLong(UInt32(truncatingIfNeeded: window &>> 32))
    }

    /// Compares with the ends of 17 lengths. Fields rarely have such symbols: quotes, brackets, anything not ASCII.
    @inline(never)
    private func nextLong(_ window: UInt32) -> Code {
        var lengths = unsafe long
        while unsafe window > lengths.pointee.last { unsafe lengths += 1 }
        let codes = unsafe lengths.pointee
        let index = Int((window &- codes.first) &>> UInt32(32 &- codes.bits))
        return unsafe Code(bits: codes.bits, symbol: longSymbols[Int(codes.offset) &+ index])
    }
}
