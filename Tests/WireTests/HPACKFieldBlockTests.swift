// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite("HPACK field block")
struct HPACKFieldBlockTests {
    private func append(_ field: HPACKField, to fields: inout FieldBlock) -> Bool {
        field.name.withUnsafeBytes { name in
            field.value.withUnsafeBytes { value in
                fields.append(name: name, value: value, isSensitive: field.isSensitive)
            }
        }
    }

    @Test("fields come back in order, with their tokens")
    func order() {
        var fields = FieldBlock()
        let all = [
            HPACKField(":status", "200"), HPACKField("x-custom", ""), HPACKField("", ""),
            HPACKField("authorization", "Bearer x", isSensitive: true),
        ]
        for round in 0..<2 {
            for field in all { #expect(append(field, to: &fields) == true) }
            #expect(fields.all == all && fields.count == 4 && !fields.isTooLarge)
            #expect(fields.listBytes == all.reduce(0) { $0 + $1.size })
            #expect((0..<4).map { fields[$0].nameToken } == [8, 0, 0, 23])
            fields.removeAll()
            #expect(fields.count == 0 && fields.listBytes == 0, "round \(round)")
        }
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        let isAdded = fields.append(name: nothing, value: nothing, isSensitive: false)
        #expect(isAdded && fields.all == [HPACKField("", "")])
    }

    @Test("the list limit counts 32 bytes for each field (RFC 9113 §6.5.2)")
    func listLimit() {
        var fields = FieldBlock(maximumListBytes: 100)
        #expect(append(HPACKField("name", "12345678901234"), to: &fields) == true)  // 50
        #expect(append(HPACKField("name", "12345678901234"), to: &fields) == true)
        #expect(fields.listBytes == 100 && !fields.isTooLarge)
        #expect(append(HPACKField("", ""), to: &fields) == false)
        #expect(fields.isTooLarge && fields.count == 2)
        fields.removeAll()
        #expect(append(HPACKField("name", String(repeating: "x", count: 65)), to: &fields) == false)
        // Once one was dropped, none may follow: they would be taken for neighbours.
        #expect(append(HPACKField("a", "b"), to: &fields) == false)
        #expect(fields.isTooLarge && fields.count == 0 && fields.listBytes == 0)
        fields.removeAll()
        #expect(append(HPACKField("name", String(repeating: "x", count: 64)), to: &fields) == true)
    }

    @Test("the limits hold for every representation", arguments: ["82", "40016101 62", "00016101 62", "10016101 62"])
    func decoded(_ representation: String) throws {
        var decoder = HPACKDecoder()
        let block = (0..<300).flatMap { _ in hex(representation) }
        var fields = FieldBlock()
        try decoder.decode(block, into: &fields)
        #expect(fields.count == FieldBlock.maximumFields && fields.isTooLarge)
        let size = fields.all[0].size
        for (limit, count) in [(10 * size, 10), (10 * size - 1, 9), (size - 1, 0), (0, 0)] {
            var few = FieldBlock(maximumListBytes: limit)
            try decoder.decode(block, into: &few)
            #expect(few.count == count && few.listBytes == count * size && few.isTooLarge)
        }
        var exactly = FieldBlock()
        try decoder.decode((0..<200).flatMap { _ in hex(representation) }, into: &exactly)
        #expect(exactly.count == 200 && !exactly.isTooLarge)
    }

    @Test("the dynamic table is right after a list that was too large")
    func tableGoesOn() throws {
        var encoder = HPACKEncoder(maximumTableBytes: 4096, usesHuffman: true, policy: .everything)
        var decoder = HPACKDecoder()
        var random = Random(seed: 5)
        for _ in 0..<300 {
            let fields = (0..<12).map { _ in
                HPACKField("name-\(random.below(30))", String(repeating: "value", count: random.below(40)))
            }
            let block = encoder.encode(fields)
            let limit = random.below(3) == 0 ? 65_536 : random.below(1_000)
            let decoded = try decoder.decode(block, maximumListBytes: limit)
            #expect(decoded[...] == fields.prefix(decoded.count))
            if limit == 65_536 { #expect(decoded == fields) }
            #expect(decoder.tableBytes == encoder.table.size && decoder.tableCount == encoder.table.count)
        }
    }

    @Test("errors are found in fields that are dropped")
    func errorsAfterTheLimit() {
        for (bad, error) in [
            ("00016181ff", HPACKError.badHuffman), ("40016181ff", .badHuffman), ("c0", .badIndex), ("80", .badIndex),
            ("400161", .truncated), ("000161 05 62", .truncated), ("20", .tableSizeUpdateNotFirst), ("7f", .truncated),
        ] {
            var decoder = HPACKDecoder()
            #expect(throws: error) { try decoder.decode(hex("82" + bad), maximumListBytes: 0) }
        }
    }
}
