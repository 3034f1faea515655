// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import Proxy

@Suite("records")
struct RecordTests {
    @Test("fields come out of a record as they went in")
    func fields() {
        var block = FieldBlock()
        let fields: [(String, String, Bool)] = [
            (":method", "POST", false), ("a", "", false), ("secret", String(repeating: "x", count: 40_000), true),
            ("content-type", "application/grpc", false),
        ]
        for (name, value, isSensitive) in fields {
            Array(name.utf8).withUnsafeBytes { name in
                Array(value.utf8).withUnsafeBytes { value in
                    _ = block.append(name: name, value: value, isSensitive: isSensitive)
                }
            }
        }
        let size = PackedFields.size(block)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
        defer { memory.deallocate() }
        #expect(PackedFields.pack(block, to: memory) == size)
        var again = FieldBlock()
        PackedFields.unpack(memory, size, into: &again)
        #expect(again.count == block.count)
        #expect(again.listBytes == block.listBytes)
        for index in 0..<block.count {
            #expect(text(again, again[index].name) == text(block, block[index].name))
            #expect(text(again, again[index].value) == text(block, block[index].value))
            #expect(again[index].isSensitive == block[index].isSensitive)
            #expect(again[index].nameToken == block[index].nameToken)
        }
    }

    private func text(_ block: borrowing FieldBlock, _ range: ByteRange) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: block.bytes + Int(range.start), count: range.count))
    }

    @Test("a record's head is read as it was written")
    func head() {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 9, alignment: 8)
        defer { memory.deallocate() }
        Record(.data, endsStream: true, length: 123_456).store(to: memory + 1)  // records lie anywhere
        let record = Record(memory + 1)
        #expect(record.kind == .data && record.endsStream && record.length == 123_456)
    }
}
