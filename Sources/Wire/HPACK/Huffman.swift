// SPDX-License-Identifier: Apache-2.0

/// The Huffman code of strings (RFC 7541 Appendix B), as tables for both directions.
///
/// The code is canonical: codes of one length are consecutive numbers in the order of their symbols, and each length
/// goes on where the one before it stopped. So the lengths say everything, and a long code is found by comparing.
/// Built once per process and never freed, like ``HPACKStaticTable``.
@safe
struct Huffman: @unchecked Sendable {  // unchecked: nothing writes to the memory after init
    static let shared = Huffman()

    /// A symbol and the bits of its code; 0 bits when eight are not enough to tell.
    struct Code: BitwiseCopyable {
        let bits: UInt16
        let symbol: UInt16
    }

    /// The codes of one length above eight bits.
    struct LongCodes: BitwiseCopyable {
        /// The smallest 32 bits that begin with one of them.
        let first: UInt32
        /// The largest 32 bits that begin with one of them.
        let last: UInt32
        /// Where their symbols begin in ``Huffman/longSymbols``.
        let offset: UInt16
        let bits: UInt16
    }

    /// The end-of-string symbol: padding is the beginning of its code, and it must not be sent (RFC 7541 §5.2).
    static var endOfString: UInt16 { 256 }
    static var longestCode: Int { 30 }

    /// By symbol: the code in the low bits, its length from bit 32 up.
    let codes: UnsafePointer<UInt64>
    /// By the next eight bits.
    let short: UnsafePointer<Code>
    /// By length, shortest first; the last one ends with the largest number.
    let long: UnsafePointer<LongCodes>
    /// The symbols with long codes, shortest first, by ``LongCodes/offset``.
    let longSymbols: UnsafePointer<UInt16>

    private init() {
        let codes = UnsafeMutablePointer<UInt64>.allocate(capacity: 257)
        let short = UnsafeMutablePointer<Code>.allocate(capacity: 256)
        let long = UnsafeMutablePointer<LongCodes>.allocate(capacity: 32)
        let longSymbols = UnsafeMutablePointer<UInt16>.allocate(capacity: 257)
        unsafe short.initialize(repeating: Code(bits: 0, symbol: 0), count: 256)
        var code: UInt64 = 0  // of 32 bits, the one at hand in the upper ones
        var lengths = 0
        var symbols = 0
        for (bits, group) in Self.symbolsByLength {
            let step = 1 << (32 - bits) as UInt64
            let first = code
            for (index, symbol) in group.enumerated() {
                unsafe codes[symbol] = code >> UInt64(32 - bits) | UInt64(bits) << 32
                if bits <= 8 {
                    for window in Int(code >> 24)..<Int((code + step) >> 24) {
                        unsafe short[window] = Code(bits: UInt16(bits), symbol: UInt16(symbol))
                    }
                } else {
                    unsafe longSymbols[symbols + index] = UInt16(symbol)
                }
                code += step
            }
            guard bits > 8 else { continue }
            unsafe long[lengths] = LongCodes(
                first: UInt32(first), last: UInt32(code - 1), offset: UInt16(symbols), bits: UInt16(bits))
            lengths += 1
            symbols += group.count
        }
        unsafe self.codes = UnsafePointer(codes)
        unsafe self.short = UnsafePointer(short)
        unsafe self.long = UnsafePointer(long)
        unsafe self.longSymbols = UnsafePointer(longSymbols)
    }
}

extension Huffman {
    /// Appendix B by length, in the order of the codes.
    static let symbolsByLength: [(bits: Int, symbols: [Int])] = [
        (5, text("012aceiost")),
        (6, text(" %-./3456789=A_bdfghlmnpru")),
        (7, text(":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz")),
        (8, text("&*,;XZ")),
        (10, text("!\"()?")),
        (11, text("'+|")),
        (12, text("#>")),
        (13, text("\0$@[]~")),
        (14, text("^}")),
        (15, text("<`{")),
        (19, [92, 195, 208]),
        (20, [128, 130, 131, 162, 184, 194, 224, 226]),
        (21, [153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230]),
        (
            22,
            [
                129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190,
                196, 198, 228, 232, 233,
            ]
        ),
        (
            23,
            [
                1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175,
                180, 182, 183, 188, 191, 197, 231, 239,
            ]
        ),
        (24, [9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237]),
        (25, [199, 207, 234, 235]),
        (26, [192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255]),
        (
            27,
            [203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254]
        ),
        (
            28,
            [2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31]
                + [127, 220, 249]
        ),
        (30, [10, 13, 22, Int(endOfString)]),
    ]

    private static func text(_ symbols: StaticString) -> [Int] {
        symbols.withUTF8Buffer { unsafe $0.map { Int($0) } }
    }
}
