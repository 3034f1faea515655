// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite("HPACK Huffman code")
struct HPACKHuffmanTests {
    private func encode(_ bytes: [UInt8]) -> [UInt8] {
        let count = bytes.withUnsafeBytes { Huffman.shared.encodedCount($0.baseAddress!, count: $0.count) }
        return [UInt8](unsafeUninitializedCapacity: count + 1) { output, written in
            written = bytes.withUnsafeBytes {
                Huffman.shared.encode(
                    $0.baseAddress!, count: $0.count, to: UnsafeMutableRawPointer(output.baseAddress!))
            }
            precondition(written == count)
        }
    }

    /// Decodes what stands between two bytes that do not belong to it.
    private func decode(_ bytes: [UInt8], capacity: Int = 4096) throws(HPACKError) -> [UInt8] {
        let padded = [0x1f] + bytes + [0x1f]
        let memory = UnsafeMutableRawPointer.allocate(byteCount: capacity + 1, alignment: 1)
        defer { memory.deallocate() }
        memory.storeBytes(of: 0xa5, toByteOffset: capacity, as: UInt8.self)
        let count = try Huffman.shared.decode(padded.span, 1..<bytes.count + 1, to: memory, capacity: capacity)
        #expect(memory.load(fromByteOffset: capacity, as: UInt8.self) == 0xa5, "wrote past its room")
        #expect(count <= bytes.count * 8 / 5)
        return Array(UnsafeRawBufferPointer(start: memory, count: min(count, capacity)))
    }

    /// The code of a symbol as text, for a decoder that reads bit by bit.
    private static let codes: [String: Int] = {
        var codes: [String: Int] = [:]
        for symbol in 0...256 {
            let code = Huffman.shared.codes[symbol]
            let digits = String(code & 0xffff_ffff, radix: 2)
            codes[String(repeating: "0", count: Int(code >> 32) - digits.count) + digits] = symbol
        }
        return codes
    }()

    private func slowDecode(_ bytes: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var code = ""
        for bit in 0..<bytes.count * 8 {
            code += bytes[bit / 8] >> UInt8(7 - bit % 8) & 1 == 1 ? "1" : "0"
            guard let symbol = Self.codes[code] else { continue }
            guard symbol < 256 else { return nil }
            result.append(UInt8(symbol))
            code = ""
        }
        return code.count < 8 && !code.contains("0") ? result : nil
    }

    @Test("codes are those of Appendix B")
    func codes() {
        let known: [(symbol: Int, code: UInt64, bits: UInt64)] = [
            (0x30, 0x0, 5), (0x61, 0x3, 5), (0x74, 0x9, 5), (0x20, 0x14, 6), (0x75, 0x2d, 6), (0x3a, 0x5c, 7),
            (0x7a, 0x7b, 7), (0x26, 0xf8, 8), (0x5a, 0xfd, 8), (0x21, 0x3f8, 10), (0x7c, 0x7fc, 11), (0x3e, 0xffb, 12),
            (0x00, 0x1ff8, 13), (0x7e, 0x1ffd, 13), (0x5e, 0x3ffc, 14), (0x7b, 0x7ffe, 15), (0x5c, 0x7fff0, 19),
            (0x80, 0xfffe6, 20), (0x99, 0x1fffdc, 21), (0x81, 0x3fffd2, 22), (0x01, 0x7fffd8, 23), (0x09, 0xffffea, 24),
            (0xc7, 0x1ffffec, 25), (0xff, 0x3ffffee, 26), (0xfe, 0x7fffff0, 27), (0x02, 0xfffffe2, 28),
            (0xf9, 0xffffffe, 28), (0x0a, 0x3ffffffc, 30), (0x16, 0x3ffffffe, 30), (256, 0x3fffffff, 30),
        ]
        for (symbol, code, bits) in known { #expect(Huffman.shared.codes[symbol] == code | bits << 32, "\(symbol)") }
        #expect(Self.codes.count == 257)
        #expect(Self.codes.keys.reduce(0.0) { $0 + 1 / Double(1 << $1.count) } == 1, "the code is complete")
    }

    @Test("each symbol goes there and back, alone and among others", arguments: 0...255)
    func symbols(_ symbol: Int) throws {
        let byte = UInt8(symbol)
        for count in 1...9 {
            let bytes = [UInt8](repeating: byte, count: count)
            #expect(try decode(encode(bytes)) == bytes)
            #expect(try decode(encode([0x61, 0x0a] + bytes + [0x58])) == [0x61, 0x0a] + bytes + [0x58])
        }
    }

    @Test("all bytes at once go there and back")
    func everything() throws {
        let bytes = Array(0...255) as [UInt8]
        #expect(try decode(encode(bytes + bytes.reversed())) == bytes + bytes.reversed())
        #expect(encode([]) == [])
        #expect(try decode([]) == [])
    }

    @Test("padding is short and all ones")
    func padding() throws {
        let text = Array("0".utf8)  // 00000, then three bits
        #expect(try decode([0b0000_0111]) == text)
        for bits in 0..<7 as Range<UInt8> {
            #expect(slowDecode([bits]) == nil)
            #expect(throws: HPACKError.badHuffman) { try decode([bits]) }
        }
        // A byte of padding too many, whether or not the byte before ends with some.
        #expect(throws: HPACKError.badHuffman) { try decode([0b0000_0111, 0xff]) }
        #expect(throws: HPACKError.badHuffman) { try decode([0xff]) }
        #expect(throws: HPACKError.badHuffman) { try decode([0xf8, 0xff]) }  // "&" fills its byte
        #expect(try decode([0xf8]) == Array("&".utf8))
        #expect(throws: HPACKError.badHuffman) { try decode([0xff, 0xff]) }
        #expect(throws: HPACKError.badHuffman) { try decode([0xff, 0xff, 0xff]) }
    }

    @Test("EOS is refused anywhere")
    func endOfString() {
        let code = hex("ffffffff")  // 30 ones and two of padding
        for prefix in ["", "0", "a", "00000000", "the quick brown fox"] {
            let ones = encode(Array(prefix.utf8)) + code
            #expect(throws: HPACKError.badHuffman) { try decode(ones) }
            #expect(throws: HPACKError.badHuffman) { try decode(ones + hex("00000000 00000000 00000007")) }
        }
    }

    @Test("random bytes are judged as by a decoder that reads bit by bit", arguments: [1, 2, 3] as [UInt64])
    func random(_ seed: UInt64) {
        var random = Random(seed: seed)
        var accepted = 0
        for _ in 0..<4_000 {
            var bytes = (0..<random.below(24)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            // Long codes begin with many ones.
            if random.below(2) == 0 { bytes.insert(contentsOf: [0xff, 0xff], at: random.below(bytes.count + 1)) }
            if random.below(2) == 0, !bytes.isEmpty { bytes[bytes.count - 1] |= 0x1f }
            let expected = slowDecode(bytes)
            #expect((try? decode(bytes)) == expected, "seed \(seed): \(bytes)")
            accepted += expected == nil ? 0 : 1
        }
        #expect(accepted > 400)
    }

    @Test("what does not fit is counted, not written")
    func capacity() throws {
        let text = Array("www.example.com/with/{some}/\"rare\" bytes".utf8)
        for capacity in 0...text.count {
            #expect(try decode(encode(text), capacity: capacity) == Array(text[..<capacity]))
        }
    }
}
