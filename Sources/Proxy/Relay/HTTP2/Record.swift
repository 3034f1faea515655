// SPDX-License-Identifier: Apache-2.0

import Wire

/// What waits to be sent on a stream, in order, packed in a ``Buffer``: eight bytes of this, then `length` bytes.
struct Record: BitwiseCopyable {
    enum Kind: UInt8 {
        /// A header block as fields, not encoded: encoding depends on the connection and the moment.
        case fields
        /// Bytes of a body.
        case data
    }

    static let headBytes = 8

    let kind: Kind
    /// Nothing follows on the stream.
    var endsStream: Bool
    /// Bytes after this.
    var length: UInt32

    init(_ kind: Kind, endsStream: Bool, length: Int) {
        self.kind = kind
        self.endsStream = endsStream
        self.length = UInt32(length)
    }

    init(_ bytes: UnsafeRawPointer) {
        kind = Kind(rawValue: bytes.load(as: UInt8.self)) ?? .data
        endsStream = bytes.load(fromByteOffset: 1, as: UInt8.self) != 0
        length = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
    }

    func store(to bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: kind.rawValue, as: UInt8.self)
        bytes.storeBytes(of: endsStream ? 1 : 0, toByteOffset: 1, as: UInt8.self)
        bytes.storeBytes(of: length, toByteOffset: 4, as: UInt32.self)
    }
}

/// Fields in a record: each eight bytes of lengths and a flag, then name and value.
enum PackedFields {
    private static let headBytes = 8

    /// Bytes that a block takes when packed.
    static func size(_ block: borrowing FieldBlock) -> Int {
        // The list size counts 32 bytes for each field more than its texts.
        block.listBytes - block.count * (32 - headBytes)
    }

    /// Packs a block; returns its size.
    static func pack(_ block: borrowing FieldBlock, to output: UnsafeMutableRawPointer) -> Int {
        var at = 0
        for index in 0..<block.count {
            let field = block[index]
            output.storeBytes(of: UInt16(field.name.count), toByteOffset: at, as: UInt16.self)
            output.storeBytes(of: field.isSensitive ? 1 : 0, toByteOffset: at + 2, as: UInt8.self)
            output.storeBytes(of: UInt32(field.value.count), toByteOffset: at + 4, as: UInt32.self)
            at += headBytes
            // A value lies behind its name.
            let count = field.name.count + field.value.count
            (output + at).copyMemory(from: block.bytes + Int(field.name.start), byteCount: count)
            at += count
        }
        return at
    }

    /// Fills an emptied block with what was packed.
    static func unpack(_ bytes: UnsafeRawPointer, _ size: Int, into block: inout FieldBlock) {
        var at = 0
        while at < size {
            let name = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self))
            let isSensitive = bytes.load(fromByteOffset: at + 2, as: UInt8.self) != 0
            let value = Int(bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self))
            at += headBytes
            _ = block.append(
                name: UnsafeRawBufferPointer(start: bytes + at, count: name),
                value: UnsafeRawBufferPointer(start: bytes + at + name, count: value), isSensitive: isSensitive)
            at += name + value
        }
    }
}
