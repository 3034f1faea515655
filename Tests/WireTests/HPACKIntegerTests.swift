// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite("HPACK integers")
struct HPACKIntegerTests {
    private func encode(_ value: Int, _ prefixBits: Int, pattern: UInt8 = 0) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: HPACKInteger.maximumBytes) { output, count in
            count = HPACKInteger.encode(
                value, prefixBits: prefixBits, pattern: pattern, to: UnsafeMutableRawPointer(output.baseAddress!))
        }
    }

    private func decode(_ bytes: [UInt8], _ prefixBits: Int) throws(HPACKError) -> (value: Int, used: Int) {
        var at = 0
        let value = try HPACKInteger.decode(bytes.span, &at, prefixBits: prefixBits)
        return (value, at)
    }

    @Test("the examples of C.1")
    func examples() throws {
        #expect(encode(10, 5) == hex("0a"))
        #expect(encode(1337, 5) == hex("1f9a0a"))
        #expect(encode(42, 8) == hex("2a"))
        #expect(try decode(hex("ea"), 5) == (10, 1))
        #expect(try decode(hex("ff9a0a"), 5) == (1337, 3))
        #expect(try decode(hex("2a"), 8) == (42, 1))
    }

    @Test("every prefix takes every length there and back", arguments: 4...8)
    func roundTrip(_ prefixBits: Int) throws {
        let full = 1 << prefixBits - 1
        let pattern = UInt8(truncatingIfNeeded: 0xff << prefixBits)
        let edges = [0, 1, full - 1, full, full + 1, full + 127, full + 128, 16_383, 65_536, 1 << 21, 1 << 28]
        for value in edges + (0..<28).map({ full + 1 << $0 }) where value <= HPACKInteger.maximum {
            let bytes = encode(value, prefixBits, pattern: pattern)
            #expect(bytes[0] & pattern == pattern)
            #expect(try decode(bytes + [0xaa], prefixBits) == (value, bytes.count))
            for end in 0..<bytes.count {
                #expect(throws: HPACKError.truncated) { try decode(Array(bytes[..<end]), prefixBits) }
            }
        }
        #expect(encode(Int(UInt32.max), prefixBits).count <= HPACKInteger.maximumBytes)
    }

    @Test("what is too large or too long is refused")
    func refused() throws {
        #expect(throws: HPACKError.integerOverflow) { try decode(encode(HPACKInteger.maximum + 1, 7), 7) }
        #expect(throws: HPACKError.integerOverflow) { try decode(encode(Int(UInt32.max), 5), 5) }
        #expect(throws: HPACKError.integerOverflow) { try decode(hex("7fffffffffffffffffff7f"), 7) }
        // Zeroes that add nothing: tolerated as long as an encoder with a fixed width might write them.
        #expect(try decode(hex("7f8080808000"), 7) == (127, 6))
        #expect(throws: HPACKError.integerOverflow) { try decode(hex("7f808080808000"), 7) }
        #expect(throws: HPACKError.truncated) { try decode([], 7) }
    }
}
