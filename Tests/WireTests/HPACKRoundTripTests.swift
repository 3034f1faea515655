// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

/// Whatever the encoder writes, the decoder reads; over whole connections, with limits that change.
@Suite("HPACK round trip")
struct HPACKRoundTripTests {
    static let names = [
        ":authority", ":path", ":method", ":status", "accept", "authorization", "cache-control", "content-length",
        "content-type", "cookie", "date", "user-agent", "grpc-status", "te", "traceparent", "x-a", "x-b", "x-ab", "",
        "x-rather-long-name-that-does-not-occur-in-the-static-table-at-all",
    ]

    private func field(_ random: inout Random, _ recent: [HPACKField]) -> HPACKField {
        if random.below(2) == 0, !recent.isEmpty {
            var field = recent[random.below(recent.count)]
            field.isSensitive = random.below(10) == 0
            return field
        }
        let name = random.below(12) == 0 ? "x-\(random.below(50))" : Self.names[random.below(Self.names.count)]
        let count = random.below(20) == 0 ? random.below(5_000) : random.below(50)
        let value = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        return HPACKField(Array(name.utf8), random.below(3) == 0 ? Array("\(count)".utf8) : value)
    }

    @Test(
        "fields come back as they were, with their marks", arguments: [1, 2, 3, 4, 5, 6] as [UInt64],
        [0, 34, 300, 4096, 20_000])
    func connection(_ seed: UInt64, _ maximumTableBytes: Int) throws {
        var random = Random(seed: seed)
        var encoder = HPACKEncoder(
            maximumTableBytes: maximumTableBytes, usesHuffman: seed % 2 == 0,
            policy: seed % 3 == 0 ? .everything : .selective)
        var decoder = HPACKDecoder(maximumTableBytes: 16_384)
        var fields = FieldBlock()
        var recent: [HPACKField] = []
        var saved = 0
        for number in 0..<250 {
            for _ in 0..<(random.below(6) == 0 ? 1 + random.below(3) : 0) {
                encoder.setPeerLimit(UInt32([0, 40, 100, 1_000, 4_096, 10_000, 16_384][random.below(7)]))
            }
            let sent = (0..<random.below(12)).map { _ in field(&random, recent) }
            recent = (recent + sent).suffix(30)
            let block = encoder.encode(sent, withTokens: random.below(2) == 0)
            fields.removeAll()
            try decoder.decode(block, into: &fields)
            #expect(fields.all == sent, "block \(number)")
            for index in 0..<fields.count { #expect(fields[index].nameToken == staticToken(sent[index].name)) }
            #expect(encoder.table.size <= encoder.table.limit && encoder.table.limit <= maximumTableBytes)
            saved += sent.reduce(0) { $0 + $1.name.count + $1.value.count + 2 } - block.count
        }
        #expect(saved > 0)
    }

    @Test("what is decoded can be encoded from where it lies")
    func forward() throws {
        var first = HPACKEncoder()
        var middle = HPACKDecoder()
        var second = HPACKEncoder()
        var last = HPACKDecoder()
        var fields = FieldBlock()
        let request = HPACKAppendixTests.requests[2] + [HPACKField("x-secret", "1", isSensitive: true)]
        let output = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 1)
        defer { output.deallocate() }
        for _ in 0..<4 {
            fields.removeAll()
            try middle.decode(first.encode(request), into: &fields)
            var count = second.begin(output)
            for index in 0..<fields.count {
                let field = fields[index]
                count += second.encode(
                    name: UnsafeRawBufferPointer(start: fields.bytes + field.name.lower, count: field.name.count),
                    value: UnsafeRawBufferPointer(start: fields.bytes + field.value.lower, count: field.value.count),
                    nameToken: field.nameToken, isSensitive: field.isSensitive, to: output + count)
            }
            let block = Array(UnsafeRawBufferPointer(start: output, count: count))
            #expect(try last.decode(block) == request)
            #expect(count <= HPACKEncoder.maximumBlockBytes(fields: fields.count, bytes: fields.listBytes))
        }
    }
}
