// SPDX-License-Identifier: Apache-2.0

extension Huffman {
    /// How many bytes ``encode(_:count:to:)`` writes.
    func encodedCount(_ source: UnsafeRawPointer, count: Int) -> Int {
        var bits = 0
        for at in 0..<count { bits &+= unsafe Int(codes[Int(source.load(fromByteOffset: at, as: UInt8.self))] &>> 32) }
        return (bits &+ 7) &>> 3
    }

    /// Writes the codes of `count` bytes, padded with ones (RFC 7541 §5.2). Returns the bytes written.
    func encode(_ source: UnsafeRawPointer, count: Int, to output: UnsafeMutableRawPointer) -> Int {
        var pending: UInt64 = 0  // the bits that are not written yet, in the low ones
        var bits: UInt64 = 0
        var written = 0
        for at in 0..<count {
            let code = unsafe codes[Int(source.load(fromByteOffset: at, as: UInt8.self))]
            let length = code &>> 32
            pending = pending &<< length | (code & 0xffff_ffff)
            bits &+= length
            guard bits >= 32 else { continue }
            bits &-= 32
            let word = UInt32(truncatingIfNeeded: pending &>> bits)
            unsafe output.storeBytes(of: word.bigEndian, toByteOffset: written, as: UInt32.self)
            written &+= 4
        }
        let padding = (8 &- bits & 7) & 7
        pending = pending &<< padding | ((1 &<< padding) &- 1)
        bits &+= padding
        while bits > 0 {
            bits &-= 8
            unsafe output.storeBytes(
                of: UInt8(truncatingIfNeeded: pending &>> bits), toByteOffset: written, as: UInt8.self)
            written &+= 1
        }
        return written
    }
}
