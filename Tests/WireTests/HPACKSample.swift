// SPDX-License-Identifier: Apache-2.0

@testable import Wire

/// A field for tests, out of any representation.
struct HPACKField: Hashable, CustomStringConvertible {
    var name: [UInt8]
    var value: [UInt8]
    var isSensitive = false

    init(_ name: String, _ value: String, isSensitive: Bool = false) {
        self.init(Array(name.utf8), Array(value.utf8), isSensitive: isSensitive)
    }

    init(_ name: [UInt8], _ value: [UInt8], isSensitive: Bool = false) {
        self.name = name
        self.value = value
        self.isSensitive = isSensitive
    }

    var size: Int { name.count + value.count + 32 }

    var description: String {
        "\(String(decoding: name, as: UTF8.self)): \(String(decoding: value, as: UTF8.self))"
            + (isSensitive ? " !" : "")
    }
}

extension FieldBlock {
    var all: [HPACKField] {
        (0..<count).map { index in
            let field = self[index]
            let store = UnsafeRawBufferPointer(start: bytes, count: field.value.upper)
            return HPACKField(
                Array(store[field.name.indices]), Array(store[field.value.indices]), isSensitive: field.isSensitive)
        }
    }
}

extension HPACKDecoder {
    mutating func decode(_ block: [UInt8], into fields: inout FieldBlock) throws(HPACKError) {
        try decode(block.span, into: &fields)
    }

    /// The fields of a block, into memory of its own.
    mutating func decode(_ block: [UInt8], maximumListBytes: Int = 65_536) throws(HPACKError) -> [HPACKField] {
        var fields = FieldBlock(maximumListBytes: maximumListBytes)
        try decode(block, into: &fields)
        return fields.all
    }
}

extension HPACKEncoder {
    /// A block, its size asserted. With tokens, as the proxy has them, or without.
    mutating func encode(_ fields: [HPACKField], withTokens: Bool = true) -> [UInt8] {
        let bytes = fields.reduce(0) { $0 + $1.name.count + $1.value.count }
        let room = Self.maximumBlockBytes(fields: fields.count, bytes: bytes)
        return [UInt8](unsafeUninitializedCapacity: room) { output, written in
            let start = UnsafeMutableRawPointer(output.baseAddress!)
            written = begin(start)
            precondition(written <= Self.maximumBlockBytes(fields: 0, bytes: 0))
            for field in fields {
                let most = Self.maximumBlockBytes(fields: 1, bytes: field.name.count + field.value.count)
                let count = field.name.withUnsafeBytes { name in
                    field.value.withUnsafeBytes { value in
                        encode(
                            name: name, value: value, nameToken: withTokens ? staticToken(field.name) : 0,
                            isSensitive: field.isSensitive, to: start + written)
                    }
                }
                precondition(count > 0 && count <= most)
                written += count
            }
        }
    }
}

/// The first static entry with that name, found slowly.
func staticToken(_ name: [UInt8]) -> UInt8 {
    let index = HPACKStaticTable.fields.firstIndex { Array($0.name.description.utf8) == name }
    return UInt8(index.map { $0 + 1 } ?? 0)
}

/// Bytes from hexadecimal digits; blanks are ignored.
func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
