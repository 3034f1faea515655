// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite("HPACK hostile blocks")
struct HPACKHostileTests {
    @Test("a block that names one large entry thousands of times ends too large, at the price of its own length")
    func bomb() throws {
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        let value = [UInt8](repeating: 0x61, count: 4_000)
        try decoder.decode((hex("400178 7f a11e") + value), into: &fields)
        #expect(fields.count == 1 && decoder.tableBytes == 4_033)
        let block = [UInt8](repeating: 0xbe, count: 16_384)
        let start = ContinuousClock.now
        for _ in 0..<20 {
            fields.removeAll()
            try decoder.decode(block, into: &fields)
            #expect(fields.isTooLarge && fields.count == 16 && fields.listBytes == 16 * 4_033)
        }
        // 64 MiB each if all were copied. Generous, because it is compiled without optimisation.
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(decoder.tableBytes == 4_033)
    }

    @Test("a block that inserts large names from the table again and again stays within its memory")
    func names() throws {
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        let name = [UInt8](repeating: 0x61, count: 4_000)
        try decoder.decode((hex("40 7fa11e") + name + [0]), into: &fields)
        fields.removeAll()
        try decoder.decode((0..<4_096).flatMap { _ in [0x7e, 0] as [UInt8] }, into: &fields)
        #expect(fields.isTooLarge && decoder.tableCount == 1 && decoder.tableBytes == 4_032)
        fields.removeAll()
        try decoder.decode([0xbe], into: &fields)
        #expect(fields.all == [HPACKField(name, [])])
    }

    @Test("a changed block is refused or stays within the limits", arguments: [1, 2, 3, 4] as [UInt64])
    func mutations(_ seed: UInt64) throws {
        var mutator = Mutator(seed: seed)
        var (accepted, refusals) = (0, Set<HPACKError>())
        for connection in HPACKVectorTests.connections {
            for round in 0..<60 {
                var decoder = HPACKDecoder(maximumTableBytes: connection.announced)
                var fields = FieldBlock(maximumListBytes: mutator.random.below(4) == 0 ? 300 : 65_536)
                do throws(HPACKError) {
                    for block in connection.blocks.prefix(1 + round % 40) {
                        fields.removeAll()
                        let isChanged = mutator.random.below(8) == 0
                        let bytes = isChanged ? mutator.mutate(block.bytes) : block.bytes
                        try decoder.decode(bytes, into: &fields)
                        accepted += isChanged ? 1 : 0
                        let all = fields.all
                        #expect(all.reduce(0) { $0 + $1.size } == fields.listBytes)
                        #expect(fields.listBytes <= 65_536 && fields.count <= FieldBlock.maximumFields)
                        #expect(decoder.tableBytes <= connection.announced)
                        for index in 0..<fields.count {
                            #expect(fields[index].nameToken == staticToken(all[index].name))
                        }
                    }
                } catch {
                    refusals.insert(error)
                }
            }
        }
        #expect(accepted > 20 && refusals.count >= 5, "\(accepted) accepted, \(refusals)")
    }

    @Test("random bytes are refused or stay within the limits", arguments: [5, 6] as [UInt64])
    func noise(_ seed: UInt64) {
        var random = Random(seed: seed)
        for _ in 0..<3_000 {
            var decoder = HPACKDecoder(maximumTableBytes: [0, 64, 4_096][random.below(3)])
            var fields = FieldBlock(maximumListBytes: [0, 100, 65_536][random.below(3)])
            for _ in 0..<4 {
                let block = (0..<random.below(80)).map { _ in
                    // Small numbers make lengths and indices that are sometimes right.
                    random.below(2) == 0 ? UInt8(random.below(12)) : UInt8(truncatingIfNeeded: random.next())
                }
                fields.removeAll()
                guard (try? decoder.decode(block, into: &fields)) != nil else { break }
                #expect(fields.count <= FieldBlock.maximumFields && fields.listBytes <= 65_536)
            }
        }
    }
}
