// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite("HPACK indexing policy")
struct HPACKIndexingTests {
    /// The blocks of the same fields, sent three times.
    private func thrice(_ fields: HPACKField..., from encoder: inout HPACKEncoder) -> [[UInt8]] {
        (0..<3).map { _ in encoder.encode(fields) }
    }

    @Test("the mask of names that stay literals is that of its comment")
    func mask() {
        let names = [
            "authorization", "cookie", "proxy-authorization", "set-cookie", "age", "content-length", "content-range",
            "date", "etag", "expires", "if-match", "if-modified-since", "if-none-match", "if-range",
            "if-unmodified-since", "last-modified", "location", "range", "retry-after",
        ]
        var mask: UInt64 = 0
        for name in names {
            #expect(staticToken(Array(name.utf8)) > 0)
            mask |= 1 << UInt64(staticToken(Array(name.utf8)))
        }
        #expect(IndexingPolicy.literalNames == mask)
    }

    @Test("a usual field is an index from the second time on")
    func usual() {
        var encoder = HPACKEncoder()
        let blocks = thrice(HPACKField("user-agent", "curl/8"), from: &encoder)
        #expect(blocks == [hex("7a 06 6375726c2f38"), hex("be"), hex("be")])
    }

    @Test("paths and names that are not static are an index from the third time on", arguments: [":path", "x-tenant"])
    func second(_ name: String) {
        var encoder = HPACKEncoder()
        let blocks = thrice(HPACKField(name, "/api/v1/books"), from: &encoder)
        #expect(blocks[0][0] & 0xf0 == 0 && blocks[1][0] & 0xc0 == 0x40 && blocks[2] == hex("be"))
    }

    @Test("values that never come again do not drive out those that do")
    func unique() {
        var encoder = HPACKEncoder()
        var random = Random(seed: 9)
        let usual = [
            HPACKField(":authority", "books"), HPACKField("user-agent", "curl/8"), HPACKField("x-tenant", "7"),
        ]
        for _ in 0..<2 { _ = encoder.encode(usual) }
        let count = encoder.table.count
        for _ in 0..<2_000 {
            let block = encoder.encode(
                usual + [
                    HPACKField(":path", "/books/\(random.next())"), HPACKField("x-request-id", "\(random.next())"),
                    HPACKField("traceparent", "00-\(random.next())-01"),
                    HPACKField("content-length", "\(random.below(99))"),
                ])
            #expect(block.prefix(3) == [0xc0, 0xbf, 0xbe])
        }
        #expect(encoder.table.count == count)
    }

    @Test("secrets enter no table", arguments: ["authorization", "cookie", "proxy-authorization", "set-cookie"])
    func secrets(_ name: String) {
        var encoder = HPACKEncoder()
        for block in thrice(HPACKField(name, "s3cr3t"), from: &encoder) { #expect(block[0] & 0xf0 == 0) }
        for block in thrice(HPACKField(name, "s3cr3t", isSensitive: true), from: &encoder) {
            #expect(block[0] & 0xf0 == 0x10)
        }
        #expect(encoder.table.count == 0)
    }

    @Test("what is sensitive is never indexed, even when a table has it")
    func sensitive() {
        var encoder = HPACKEncoder()
        #expect(encoder.encode([HPACKField(":method", "GET", isSensitive: true)]) == hex("12 03 474554"))
        _ = thrice(HPACKField("x-key", "1"), from: &encoder)
        #expect(encoder.encode([HPACKField("x-key", "1", isSensitive: true)]) == hex("1f2f 01 31"))
        #expect(encoder.table.count == 1)
    }

    @Test("a name is an index even where its value is not, the newest entry of that name")
    func names() {
        var encoder = HPACKEncoder()
        for value in ["1", "2"] { _ = thrice(HPACKField("x-key", value), from: &encoder) }
        #expect(encoder.encode([HPACKField("x-key", "3")]) == hex("0f2f 01 33"))
        #expect(encoder.encode([HPACKField("x-key", "3")]) == hex("7e 01 33"))
        #expect(encoder.encode([HPACKField("x-key", "1")]) == hex("c0"))
    }

    @Test("what would take more than a quarter of the table is not indexed")
    func size() {
        var encoder = HPACKEncoder()
        let name = "user-agent"
        let fits = 1024 - 32 - name.utf8.count
        #expect(thrice(HPACKField(name, String(repeating: "x", count: fits + 1)), from: &encoder)[2].count > fits)
        #expect(thrice(HPACKField(name, String(repeating: "x", count: fits)), from: &encoder)[2] == hex("be"))
    }

    @Test("an encoder that never indexed anything has allocated nothing", arguments: [true, false])
    func lazy(_ isSensitive: Bool) {
        var encoder = HPACKEncoder()
        _ = thrice(HPACKField("cookie", "a", isSensitive: isSensitive), HPACKField(":method", "GET"), from: &encoder)
        #expect(encoder.table.count == 0)
        #expect(MemoryLayout<HPACKEncoder>.size <= 288)
        #expect(MemoryLayout<HPACKDecoder>.size <= 128)
        #expect(MemoryLayout<FieldBlock.Field>.stride == 20)
    }
}
