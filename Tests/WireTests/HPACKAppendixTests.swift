// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

/// RFC 7541 Appendix C.2 to C.6, byte for byte in both directions.
@Suite("HPACK appendix C")
struct HPACKAppendixTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let section: String
        let tableBytes: Int
        let usesHuffman: Bool
        /// Each block with its fields and the size of the dynamic table after it.
        let blocks: [(hex: String, tableBytes: Int, fields: [HPACKField])]

        var testDescription: String { section }
    }

    @Test("single fields decode (C.2)")
    func singles() throws {
        var decoder = HPACKDecoder()
        let custom = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"
        #expect(try decoder.decode(hex(custom)) == [HPACKField("custom-key", "custom-header")])
        #expect(decoder.tableBytes == 55)
        decoder = HPACKDecoder()
        #expect(
            try decoder.decode(hex("040c 2f73 616d 706c 652f 7061 7468")) == [HPACKField(":path", "/sample/path")])
        let password = HPACKField("password", "secret", isSensitive: true)
        #expect(try decoder.decode(hex("1008 7061 7373 776f 7264 0673 6563 7265 74")) == [password])
        #expect(try decoder.decode(hex("82")) == [HPACKField(":method", "GET")])
        #expect(decoder.tableBytes == 0)
    }

    @Test("single fields encode (C.2)")
    func singlesEncode() {
        var encoder = HPACKEncoder(maximumTableBytes: 4096, usesHuffman: false, policy: .everything)
        #expect(
            encoder.encode([HPACKField("custom-key", "custom-header")])
                == hex("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"))
        // The proxy does not index a path that it sees for the first time: just what C.2.2 shows.
        encoder = HPACKEncoder()
        #expect(
            encoder.encode([HPACKField(":path", "/sample/path")]) == hex("040c 2f73 616d 706c 652f 7061 7468"))
        #expect(
            encoder.encode([HPACKField("password", "secret", isSensitive: true)])
                == hex("1008 7061 7373 776f 7264 0673 6563 7265 74"))
        #expect(encoder.encode([HPACKField(":method", "GET")]) == hex("82"))
    }

    @Test("sequences decode (C.3 to C.6)", arguments: examples)
    func decode(_ example: Example) throws {
        var decoder = HPACKDecoder(maximumTableBytes: example.tableBytes)
        for block in example.blocks {
            #expect(try decoder.decode(hex(block.hex)) == block.fields)
            #expect(decoder.tableBytes == block.tableBytes)
        }
    }

    @Test("sequences encode (C.3 to C.6)", arguments: examples, [true, false])
    func encode(_ example: Example, withTokens: Bool) {
        var encoder = HPACKEncoder(
            maximumTableBytes: example.tableBytes, usesHuffman: example.usesHuffman, policy: .everything)
        // The appendix takes a table of 256 bytes as agreed; the peer has to be told.
        #expect(encoder.encode([]) == (example.tableBytes == 256 ? hex("3fe101") : []))
        for block in example.blocks {
            #expect(encoder.encode(block.fields, withTokens: withTokens) == hex(block.hex))
            #expect(encoder.table.size == block.tableBytes)
        }
    }

    static let requests: [[HPACKField]] = [
        [
            HPACKField(":method", "GET"), HPACKField(":scheme", "http"), HPACKField(":path", "/"),
            HPACKField(":authority", "www.example.com"),
        ],
        [
            HPACKField(":method", "GET"), HPACKField(":scheme", "http"), HPACKField(":path", "/"),
            HPACKField(":authority", "www.example.com"), HPACKField("cache-control", "no-cache"),
        ],
        [
            HPACKField(":method", "GET"), HPACKField(":scheme", "https"), HPACKField(":path", "/index.html"),
            HPACKField(":authority", "www.example.com"), HPACKField("custom-key", "custom-value"),
        ],
    ]

    static let responses: [[HPACKField]] = [
        [
            HPACKField(":status", "302"), HPACKField("cache-control", "private"),
            HPACKField("date", "Mon, 21 Oct 2013 20:13:21 GMT"), HPACKField("location", "https://www.example.com"),
        ],
        [
            HPACKField(":status", "307"), HPACKField("cache-control", "private"),
            HPACKField("date", "Mon, 21 Oct 2013 20:13:21 GMT"), HPACKField("location", "https://www.example.com"),
        ],
        [
            HPACKField(":status", "200"), HPACKField("cache-control", "private"),
            HPACKField("date", "Mon, 21 Oct 2013 20:13:22 GMT"), HPACKField("location", "https://www.example.com"),
            HPACKField("content-encoding", "gzip"),
            HPACKField("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
        ],
    ]

    static let examples: [Example] = [
        Example(
            section: "C.3", tableBytes: 4096, usesHuffman: false,
            blocks: [
                ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", 57, requests[0]),
                ("8286 84be 5808 6e6f 2d63 6163 6865", 110, requests[1]),
                (
                    "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", 164, requests[2]
                ),
            ]),
        Example(
            section: "C.4", tableBytes: 4096, usesHuffman: true,
            blocks: [
                ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", 57, requests[0]),
                ("8286 84be 5886 a8eb 1064 9cbf", 110, requests[1]),
                ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", 164, requests[2]),
            ]),
        Example(
            section: "C.5", tableBytes: 256, usesHuffman: false,
            blocks: [
                (
                    """
                    4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32
                    3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d
                    """, 222, responses[0]
                ),
                ("4803 3330 37c1 c0bf", 222, responses[1]),
                (
                    """
                    88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970
                    7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61
                    6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31
                    """, 215, responses[2]
                ),
            ]),
        Example(
            section: "C.6", tableBytes: 256, usesHuffman: true,
            blocks: [
                (
                    """
                    4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad
                    1718 63c7 8f0b 97c8 e9ae 82ae 43d3
                    """, 222, responses[0]
                ),
                ("4883 640e ffc1 c0bf", 222, responses[1]),
                (
                    """
                    88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2
                    e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07
                    """, 215, responses[2]
                ),
            ]),
    ]
}
