// SPDX-License-Identifier: Apache-2.0

import Wire

extension Oracle {
    /// HPACK: the blocks of one connection, read as a slow decoder reads them, and written again to be read the same.
    ///
    /// The input is a byte that chooses limits, and then blocks, each after a byte with its length; 255 is all the rest.
    package static let hpack = Oracle("hpack") { bytes throws(Violation) in
        let array = bytes.array
        guard let choice = array.first else { return }
        var connection = HPACKConnection(choice)
        var at = 1
        while at < array.count {
            let wanted = array[at] == 255 ? array.count : Int(array[at])
            let start = at + 1
            at = min(array.count, start + wanted)
            guard try connection.take(Array(array[start..<at])) else { return }
        }
    }
}

/// A field out of any representation.
struct PlainField: Hashable {
    var name: [UInt8]
    var value: [UInt8]
    var isSensitive = false

    var size: Int { name.count + value.count + 32 }
}

/// The decoder under test with a list limit, the same with a large one, one that is slow and plain, and the way on to a next hop.
private struct HPACKConnection: ~Copyable {
    private static let wideLimit = 131_072
    private let heldLimit: Int
    private var held: FieldBlock
    private var wide = FieldBlock(maximumListBytes: wideLimit)
    private var limited: HPACKDecoder
    private var unlimited: HPACKDecoder
    private var plain: PlainHPACK
    private var encoder: HPACKEncoder
    private var next: HPACKDecoder
    private var blocks = 0

    init(_ choice: UInt8) {
        let tableLimit = [4_096, 0, 200, 65_536][Int(choice & 3)]
        heldLimit = [65_536, 4_096, 300, 0][Int(choice >> 2 & 3)]
        held = FieldBlock(maximumListBytes: heldLimit)
        limited = HPACKDecoder(maximumTableBytes: tableLimit)
        unlimited = HPACKDecoder(maximumTableBytes: tableLimit)
        plain = PlainHPACK(maximumLimit: tableLimit)
        encoder = HPACKEncoder(maximumTableBytes: [4_096, 0, 300, 16_384][Int(choice >> 4 & 3)])
        next = HPACKDecoder(maximumTableBytes: 65_536)
    }

    /// Takes the next block; false once the connection is of no use.
    mutating func take(_ block: [UInt8]) throws(Violation) -> Bool {
        blocks += 1
        held.removeAll()
        wide.removeAll()
        let error = failure { () throws(HPACKError) in try limited.decode(block.span, into: &held) }
        let sameError = failure { () throws(HPACKError) in try unlimited.decode(block.span, into: &wide) }
        try require(error == sameError, "a limit on the list hides no error: \(String(describing: sameError))")
        let sent = plain.decode(block)
        try require((sent == nil) == (error != nil), "\(String(describing: error)), but \(String(describing: sent))")
        guard let sent else { return false }
        try expectSound(held, sent, heldLimit)
        try expectSound(wide, sent, HPACKConnection.wideLimit)
        try passOn()
        return true
    }

    /// The block holds as much of the list as its limits allow.
    private func expectSound(
        _ block: borrowing FieldBlock, _ sent: [PlainField], _ limit: Int
    ) throws(Violation) {
        let fields = block.all
        try require(fields == Array(sent.prefix(fields.count)), "the fields are \(sent), not \(fields)")
        try require(fields.count <= FieldBlock.maximumFields, "there are no more fields than their limit")
        let size = fields.reduce(0) { $0 + $1.size }
        try require(block.listBytes == size && size <= limit, "the list is as large as its fields, within its limit")
        try require(block.isTooLarge == (fields.count < sent.count), "what was dropped is told")
        if fields.count < min(sent.count, FieldBlock.maximumFields) {
            try require(size + sent[fields.count].size > limit, "what fits is held")
        }
        for (index, field) in fields.enumerated() {
            let first = PlainHPACK.statics.firstIndex { $0.name == field.name }
            try require(Int(block[index].nameToken) == first.map { $0 + 1 } ?? 0, "a static name has its first token")
        }
    }

    /// Encodes what was decoded for another connection, and reads it there.
    private mutating func passOn() throws(Violation) {
        let fields = held.all
        if blocks % 3 == 0 {
            encoder.setPeerLimit([0, 100, 4_096, 65_536][blocks / 3 % 4])
            if blocks % 2 == 0 { encoder.setPeerLimit(4_096) }
        }
        var encoded: [UInt8] = HPACKConnection.written(atMost: HPACKEncoder.maximumBlockBytes(fields: 0, bytes: 0)) {
            encoder.begin($0)
        }
        for (index, field) in fields.enumerated() {
            let bytes = field.name.count + field.value.count
            let token = blocks % 2 == 0 ? held[index].nameToken : 0
            let room = HPACKEncoder.maximumBlockBytes(fields: 1, bytes: bytes)
            // Name, value and room in blocks of their own, so that the sanitizer sees a byte too far.
            encoded += HPACKConnection.written(atMost: room) { output in
                field.name.withUnsafeBytes { name in
                    field.value.withUnsafeBytes { value in
                        encoder.encode(
                            name: name, value: value, nameToken: token, isSensitive: field.isSensitive, to: output)
                    }
                }
            }
        }
        wide.removeAll()
        let error = failure { () throws(HPACKError) in try next.decode(encoded.span, into: &wide) }
        try require(error == nil, "what was encoded can be read, not \(String(describing: error))")
        let read = wide.all
        try require(read == fields, "what was encoded is read as it was: \(fields), not \(read)")
    }

    private static func written(atMost room: Int, _ write: (UnsafeMutableRawPointer) -> Int) -> [UInt8] {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 1)
        defer { memory.deallocate() }
        guard let start = memory.baseAddress else { return [] }
        let count = write(start)
        precondition(0...room ~= count, "\(count) bytes written where \(room) were the most")
        return Array(memory.prefix(count))
    }
}

private func failure(_ body: () throws(HPACKError) -> Void) -> HPACKError? {
    do throws(HPACKError) {
        try body()
        return nil
    } catch {
        return error
    }
}

extension FieldBlock {
    /// The fields, copied.
    var all: [PlainField] {
        (0..<count).map { index in
            let field = self[index]
            let store = UnsafeRawBufferPointer(start: bytes, count: Int(max(field.name.end, field.value.end)))
            return PlainField(
                name: Array(store[field.name.indices]), value: Array(store[field.value.indices]),
                isSensitive: field.isSensitive)
        }
    }
}
