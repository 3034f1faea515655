// SPDX-License-Identifier: Apache-2.0

import Wire

/// RFC 7541 as it reads: arrays, copies and no limit but the table's. Huffman strings alone are left to the decoder under
/// test, one at a time and out of every table.
struct PlainHPACK {
    /// The static table (Appendix A), as the decoder under test has it; its vectors are tested elsewhere.
    static let statics: [PlainField] = (1...61).map { index in
        isolated([0x80 | UInt8(index)])?.first ?? PlainField(name: [], value: [])
    }

    private let maximumLimit: Int
    private var limit: Int
    /// Newest first.
    private var table: [PlainField] = []

    init(maximumLimit: Int) {
        self.maximumLimit = maximumLimit
        limit = maximumLimit
    }

    /// The fields of a block; `nil` if it is refused.
    mutating func decode(_ block: [UInt8]) -> [PlainField]? {
        var input = Input(bytes: block[...])
        var fields: [PlainField] = []
        var updates = 0
        while let first = input.bytes.first {
            if first & 0xe0 == 0x20 {
                updates += 1
                guard fields.isEmpty, updates <= 2, let size = input.integer(5), size <= maximumLimit else {
                    return nil
                }
                limit = size
                evict(to: limit)
            } else if first & 0x80 != 0 {
                guard let index = input.integer(7), let field = entry(index) else { return nil }
                fields.append(PlainField(name: field.name, value: field.value))
            } else {
                let isIndexed = first & 0x40 != 0
                guard let index = input.integer(isIndexed ? 6 : 4),
                    let name = index == 0 ? input.string() : entry(index)?.name, let value = input.string()
                else { return nil }
                let field = PlainField(name: name, value: value, isSensitive: !isIndexed && first & 0x10 != 0)
                fields.append(field)
                if isIndexed { insert(field) }
            }
        }
        return fields
    }

    private func entry(_ index: Int) -> PlainField? {
        if index == 0 { return nil }
        if index <= 61 { return PlainHPACK.statics[index - 1] }
        return index - 62 < table.count ? table[index - 62] : nil
    }

    private mutating func insert(_ field: PlainField) {
        evict(to: limit - field.size)
        if field.size <= limit { table.insert(field, at: 0) }
    }

    private mutating func evict(to size: Int) {
        var left = table.reduce(0) { $0 + $1.size }
        while left > size, let oldest = table.popLast() { left -= oldest.size }
    }

    /// What a block comes to on a connection of its own.
    fileprivate static func isolated(_ block: [UInt8]) -> [PlainField]? {
        var decoder = HPACKDecoder(maximumTableBytes: 0)
        var fields = FieldBlock(maximumListBytes: 1 << 20)
        do throws(HPACKError) {
            try decoder.decode(block.span, into: &fields)
        } catch {
            return nil
        }
        return fields.all
    }
}

private struct Input {
    var bytes: ArraySlice<UInt8>

    /// §5.1, refused from 2^28 on and with more than five bytes after the first.
    mutating func integer(_ prefixBits: Int) -> Int? {
        let full = 1 << prefixBits - 1
        guard let first = bytes.popFirst() else { return nil }
        var value = Int(first) & full
        guard value == full else { return value }
        for step in 0..<5 {
            guard let byte = bytes.popFirst() else { return nil }
            value += Int(byte & 0x7f) << (7 * step)
            guard value <= 1 << 28 else { return nil }
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }

    /// §5.2
    mutating func string() -> [UInt8]? {
        guard let first = bytes.first, let count = integer(7), count <= bytes.count else { return nil }
        defer { bytes = bytes.dropFirst(count) }
        guard first & 0x80 != 0 else { return Array(bytes.prefix(count)) }
        // As the value of a field named "x", never indexed.
        return PlainHPACK.isolated([0x10, 1, 0x78] + Input.length(count) + bytes.prefix(count))?.first?.value
    }

    private static func length(_ count: Int) -> [UInt8] {
        guard count >= 127 else { return [0x80 | UInt8(count)] }
        var rest = count - 127
        var bytes: [UInt8] = [0xff]
        while rest >= 128 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
