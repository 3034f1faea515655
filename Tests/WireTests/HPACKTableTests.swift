// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

/// What the dynamic table does, seen through the decoder (RFC 7541 §2.3, §4).
@Suite("HPACK dynamic table")
struct HPACKTableTests {
    /// A literal with incremental indexing and a new name; both below 127 bytes.
    private func insertion(_ name: String, _ value: String) -> [UInt8] {
        [0x40, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
    }

    @Test("the newest entry has index 62")
    func order() throws {
        var decoder = HPACKDecoder()
        let block = insertion("a", "1") + insertion("b", "2") + [0xbe, 0xbf]
        #expect(
            try decoder.decode(block)
                == [HPACKField("a", "1"), HPACKField("b", "2"), HPACKField("b", "2"), HPACKField("a", "1")])
        #expect(throws: HPACKError.badIndex) { try decoder.decode([0xc0]) }
    }

    @Test("the oldest entries go when there is no room")
    func eviction() throws {
        var decoder = HPACKDecoder(maximumTableBytes: 102)  // three entries of 34
        _ = try decoder.decode(insertion("a", "1") + insertion("b", "2") + insertion("c", "3"))
        #expect(decoder.tableBytes == 102)
        _ = try decoder.decode(insertion("d", "4"))
        #expect(decoder.tableCount == 3)
        #expect(try decoder.decode([0xc0]) == [HPACKField("b", "2")])
        _ = try decoder.decode(insertion("e", "55"))  // takes the room of two
        #expect(decoder.tableBytes == 69)
        #expect(try decoder.decode([0xbe, 0xbf]) == [HPACKField("e", "55"), HPACKField("d", "4")])
    }

    @Test("an entry larger than the table empties it")
    func tooLarge() throws {
        var decoder = HPACKDecoder(maximumTableBytes: 64)
        _ = try decoder.decode(insertion("a", "1"))
        let large = String(repeating: "x", count: 32)
        #expect(try decoder.decode(insertion("b", large)) == [HPACKField("b", large)])
        #expect(decoder.tableBytes == 0 && decoder.tableCount == 0)
        #expect(try decoder.decode(insertion("b", String(large.dropLast()))).count == 1)
        #expect(decoder.tableBytes == 64)
    }

    @Test("a name may come from the entry that is evicted for it (§4.4)", arguments: [65_536, 0])
    func selfEviction(maximumListBytes: Int) throws {
        var decoder = HPACKDecoder(maximumTableBytes: 128)
        let name = String(repeating: "n", count: 40)
        _ = try decoder.decode(insertion(name, "first"))
        for round in 0..<100 {
            let value = [UInt8](repeating: 0x61 + UInt8(round % 26), count: 20 + round % 20)
            // With no room in the list as well: then it is built inside the table.
            let block = [0x7e, UInt8(value.count)] + value
            let fields = try decoder.decode(block, maximumListBytes: maximumListBytes)
            #expect(fields == (maximumListBytes == 0 ? [] : [HPACKField(Array(name.utf8), value)]))
            #expect(decoder.tableCount == 1)
            #expect(try decoder.decode([0xbe]) == [HPACKField(Array(name.utf8), value)])
        }
    }

    @Test("a table of no bytes holds nothing")
    func none() throws {
        var decoder = HPACKDecoder(maximumTableBytes: 0)
        #expect(try decoder.decode(insertion("a", "1")) == [HPACKField("a", "1")])
        #expect(try decoder.decode(insertion("a", "1"), maximumListBytes: 0) == [])
        #expect(decoder.tableCount == 0)
        #expect(throws: HPACKError.badIndex) { try decoder.decode([0xbe]) }
    }

    @Test("index 0 is refused")
    func zero() {
        var decoder = HPACKDecoder()
        #expect(throws: HPACKError.badIndex) { try decoder.decode([0x80]) }
        #expect(throws: HPACKError.badIndex) { try decoder.decode([0x7e, 0]) }
        #expect(throws: HPACKError.badIndex) { try decoder.decode([0x0f, 0x2f, 0]) }
        #expect(throws: HPACKError.badIndex) { try decoder.decode([0x1f, 0x2f, 0]) }
    }

    @Test("entries stay what they were however often the store is compacted", arguments: [34, 100, 256, 4096, 10_000])
    func store(_ limit: Int) throws {
        var decoder = HPACKDecoder(maximumTableBytes: limit)
        var random = Random(seed: UInt64(limit))
        var model: [HPACKField] = []  // newest first
        for _ in 0..<3_000 {
            let name = "n" + String(random.below(1_000_000))
            let field = HPACKField(name, String(repeating: "v", count: random.below(60)))
            // Half of the time the list has no room for it.
            let maximumListBytes = random.below(2) == 0 ? 0 : 65_536
            _ = try decoder.decode(
                insertion(name, String(repeating: "v", count: field.value.count)), maximumListBytes: maximumListBytes)
            model.insert(field, at: 0)
            while model.reduce(0, { $0 + $1.size }) > limit { model.removeLast() }
            #expect(decoder.tableCount == model.count)
            guard !model.isEmpty else { continue }
            let age = random.below(model.count)
            let index = [UInt8](unsafeUninitializedCapacity: 6) { output, count in
                count = HPACKInteger.encode(
                    62 + age, prefixBits: 7, pattern: 0x80, to: UnsafeMutableRawPointer(output.baseAddress!))
            }
            #expect(try decoder.decode(index) == [model[age]])
        }
    }

    @Test("a hash index finds what was added and not what was removed", arguments: [1, 2, 3] as [UInt64])
    func hashIndex(_ seed: UInt64) {
        var random = Random(seed: seed)
        var index = HPACKHashIndex(positions: 64)
        var model: [Int: UInt32] = [:]
        #expect(index.find(1) { _ in true } == nil)
        for _ in 0..<20_000 {
            let position = random.below(64)
            if model.removeValue(forKey: position) != nil {
                index.remove(position)
            } else {
                // Few hashes and fewer slots, so that clusters form and wrap around.
                let hash = UInt32(random.below(20)) &* 14 | 1
                index.insert(position, hash: hash)
                model[position] = hash
            }
            let sought = random.below(64)
            let found = index.find(model[sought] ?? 3) { $0 == sought }
            #expect(found == (model[sought] == nil ? nil : sought))
        }
    }
}
