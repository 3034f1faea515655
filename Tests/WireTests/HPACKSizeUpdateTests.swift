// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite("HPACK table size updates")
struct HPACKSizeUpdateTests {
    @Test("an update evicts, and the table may grow again")
    func decoder() throws {
        var decoder = HPACKDecoder()
        _ = try decoder.decode(hex("4001610131 4001620132"))
        #expect(decoder.tableBytes == 68)
        #expect(try decoder.decode(hex("3f0f be")) == [HPACKField("b", "2")])  // 46
        #expect(decoder.tableBytes == 34)
        #expect(try decoder.decode(hex("20")) == [])
        #expect(decoder.tableCount == 0)
        #expect(try decoder.decode(hex("20 3fe11f 4001610131")) == [HPACKField("a", "1")])  // 0, then 4096
        #expect(decoder.tableBytes == 34)
    }

    @Test("an update is at most what was announced")
    func tooLarge() throws {
        var decoder = HPACKDecoder()
        #expect(throws: HPACKError.tableSizeTooLarge) { try decoder.decode(hex("3fe21f")) }  // 4097
        decoder = HPACKDecoder(maximumTableBytes: 65_536)
        #expect(try decoder.decode(hex("3fe1ff03")) == [])  // 65536
        #expect(throws: HPACKError.tableSizeTooLarge) { try decoder.decode(hex("3fe2ff03")) }
        #expect(throws: HPACKError.integerOverflow) { try decoder.decode(hex("3fe0ffffff0f")) }
    }

    @Test("updates stand at the beginning, two at most")
    func place() throws {
        var decoder = HPACKDecoder()
        #expect(throws: HPACKError.tableSizeUpdateNotFirst) { try decoder.decode(hex("82 20")) }
        decoder = HPACKDecoder()
        #expect(throws: HPACKError.tableSizeUpdateNotFirst) { try decoder.decode(hex("20 82 3f01")) }
        decoder = HPACKDecoder()
        #expect(try decoder.decode(hex("20 3fe11f 82")) == [HPACKField(":method", "GET")])
        #expect(throws: HPACKError.tooManyTableSizeUpdates) { try decoder.decode(hex("20 3fe11f 20 82")) }
    }

    @Test("the encoder announces a limit when it changes, once")
    func encoder() {
        var encoder = HPACKEncoder()
        #expect(encoder.encode([]) == [])
        encoder.setPeerLimit(4096)
        #expect(encoder.encode([]) == [])
        encoder.setPeerLimit(65_536)  // more than we want
        #expect(encoder.encode([]) == [])
        encoder.setPeerLimit(0)
        #expect(encoder.encode([]) == hex("20"))
        #expect(encoder.encode([]) == [])
        encoder.setPeerLimit(256)
        #expect(encoder.encode([]) == hex("3fe101"))
        encoder.setPeerLimit(UInt32.max)
        #expect(encoder.encode([]) == hex("3fe11f"))
        #expect(encoder.encode([]) == [])
    }

    @Test("lowered and raised between two blocks: the lowest, then the last (§4.2)")
    func lowestThenLast() throws {
        var encoder = HPACKEncoder()
        var decoder = HPACKDecoder()
        let field = HPACKField("user-agent", "curl/8.5.0")
        _ = try decoder.decode(encoder.encode([field]))
        #expect(encoder.table.count == 1)
        for limit in [1024, 40, 256, 4096] as [UInt32] { encoder.setPeerLimit(limit) }
        let block = encoder.encode([])
        #expect(block == hex("3f09 3fe11f"))
        #expect(encoder.table.count == 0)
        #expect(try decoder.decode(block) == [])
        #expect(decoder.tableCount == 0)
        #expect(try decoder.decode(encoder.encode([field])) == [field])
        // Lowered last: one update says it all. Raised and lowered again: nothing happened.
        encoder.setPeerLimit(200)
        encoder.setPeerLimit(100)
        #expect(encoder.encode([]) == hex("3f45"))
        encoder.setPeerLimit(4096)
        encoder.setPeerLimit(100)
        #expect(encoder.encode([]) == [])
    }

    @Test("a table that is smaller than the peer thinks is announced at once, a larger one when it is allowed")
    func initial() {
        var small = HPACKEncoder(maximumTableBytes: 0)
        #expect(small.encode([]) == hex("20"))
        small.setPeerLimit(4096)
        #expect(small.encode([]) == [])
        var large = HPACKEncoder(maximumTableBytes: 16_384)
        #expect(large.encode([]) == [])
        #expect(large.table.limit == 4096)
        large.setPeerLimit(65_536)
        #expect(large.encode([]) == hex("3fe17f"))
        #expect(large.table.limit == 16_384)
    }
}
