// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite("HPACK static table")
struct HPACKStaticTableTests {
    static let entries = HPACKStaticTable.fields.map { HPACKField($0.name.description, $0.value.description) }

    @Test("there are 61 entries")
    func count() {
        #expect(Self.entries.count == 61 && HPACKStaticTable.count == 61)
        #expect(Self.entries[0] == HPACKField(":authority", ""))
        #expect(Self.entries[60] == HPACKField("www-authenticate", ""))
        #expect(Set(Self.entries).count == 61)
    }

    @Test("each entry is read by its index and written as it", arguments: 1...61)
    func indexed(_ index: Int) throws {
        let entry = Self.entries[index - 1]
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        try decoder.decode([0x80 | UInt8(index)], into: &fields)
        #expect(fields.all == [entry])
        #expect(fields[0].nameToken == staticToken(entry.name))
        #expect(decoder.tableCount == 0)
        guard !entry.value.isEmpty else { return }
        var encoder = HPACKEncoder()
        #expect(encoder.encode([entry]) == [0x80 | UInt8(index)])
        #expect(encoder.encode([entry], withTokens: false) == [0x80 | UInt8(index)])
    }

    @Test("each name is known by its index, as a literal and through the dynamic table", arguments: 1...61)
    func names(_ index: Int) throws {
        let name = Self.entries[index - 1].name
        let token = staticToken(name)
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        let indexed: [UInt8] = index < 63 ? [0x40 | UInt8(index), 1, 0x76] : []
        let literal: [UInt8] = [0, UInt8(name.count)] + name + [1, 0x76]
        try decoder.decode((indexed + [0xbe] + literal), into: &fields)
        #expect(fields.all == [HPACKField](repeating: HPACKField(name, [0x76]), count: 3))
        for index in 0..<3 { #expect(fields[index].nameToken == token) }
    }

    @Test("names that are nearly static are not")
    func strangers() {
        for entry in Self.entries {
            var (longer, other, shorter) = (entry.name + [0x78], entry.name, entry.name)
            other[other.count - 1] ^= 1
            shorter.removeLast()
            for name in [longer, other, shorter, []] {
                let token = name.withUnsafeBytes { bytes in
                    bytes.baseAddress.map { HPACKStaticTable.shared.token(ofName: $0, count: bytes.count) } ?? 0
                }
                #expect(token == staticToken(name))
            }
            longer.append(contentsOf: longer)
        }
    }

    @Test("a value is not taken for that of a static entry because it is empty")
    func emptyValues() {
        var encoder = HPACKEncoder(maximumTableBytes: 4096, usesHuffman: false, policy: .everything)
        #expect(encoder.encode([HPACKField(":method", "")]) == hex("4200"))
        #expect(encoder.encode([HPACKField("accept", "")]) == hex("5300"))
        #expect(encoder.encode([HPACKField(":status", "201")]) == hex("48 03 323031"))
        #expect(encoder.encode([HPACKField("accept-charset", "gzip, deflate")])[0] == 0x4f)
    }
}
