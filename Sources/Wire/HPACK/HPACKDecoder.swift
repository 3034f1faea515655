// SPDX-License-Identifier: Apache-2.0

/// Decodes the header blocks of one direction of one HTTP/2 connection (RFC 7541), in the order in which they came.
///
/// Pure and without allocation, except once when the first entry is inserted into the dynamic table. The work for a
/// block is bounded by its length, the list limit and the table limit: at most the list limit is copied into the
/// fields, and each literal that is indexed copies at most one table limit; indexed fields cost a comparison once the
/// list is too large. So CONTINUATION must be bounded by the caller, expansion is bounded here.
@safe
package struct HPACKDecoder: ~Copyable {
    private let statics = HPACKStaticTable.shared
    private let huffman = Huffman.shared
    private var table: HPACKDynamicTable

    /// `maximumTableBytes`, at most 65,536, is what we announced as SETTINGS_HEADER_TABLE_SIZE.
    ///
    /// It should not be below 4,096 (the initial value of the setting): the peer may use that much until it has seen
    /// ours, and references to what was evicted here fail then.
    package init(maximumTableBytes: Int = 4096) {
        table = HPACKDynamicTable(maximumLimit: maximumTableBytes)
    }

    /// Bytes that the entries of the dynamic table count for (RFC 7541 §4.1).
    var tableBytes: Int { table.size }
    /// How many entries the dynamic table has.
    var tableCount: Int { table.count }

    /// Decodes a whole block, that is the fragments of HEADERS and its CONTINUATION frames joined, and adds its fields.
    ///
    /// Every block must be decoded, whatever becomes of its stream, because the next ones build on it. Once `fields` is
    /// too large the rest is read for the dynamic table's sake only; errors in it are still found.
    package mutating func decode(_ block: Span<UInt8>, into fields: inout FieldBlock) throws(HPACKError) {
        var at = 0
        try decodeTableSizeUpdates(block, &at)
        while at < block.count {
            let first = block[at]
            if first & 0x80 != 0 {  // indexed field (§6.1)
                let index = try HPACKInteger.decode(block, &at, prefixBits: 7)
                let entry = try entry(index)
                unsafe fields.append(entry, at: bytes(of: entry, index))
            } else if first & 0x40 != 0 {  // literal with incremental indexing (§6.2.1)
                try decodeIndexedLiteral(block, &at, into: &fields)
            } else if first & 0x20 != 0 {
                throw .tableSizeUpdateNotFirst
            } else {  // literal without indexing (§6.2.2) or never indexed (§6.2.3)
                try decodeLiteral(block, &at, into: &fields, isSensitive: first & 0x10 != 0)
            }
        }
    }

    private mutating func decodeTableSizeUpdates(_ block: Span<UInt8>, _ at: inout Int) throws(HPACKError) {
        var updates = 0
        while at < block.count, block[at] & 0xe0 == 0x20 {  // §6.3
            let limit = try HPACKInteger.decode(block, &at, prefixBits: 5)
            guard limit <= table.maximumLimit else { throw .tableSizeTooLarge }
            updates &+= 1
            guard updates <= 2 else { throw .tooManyTableSizeUpdates }
            table.setLimit(limit)
        }
    }

    // MARK: Literals

    private mutating func decodeIndexedLiteral(
        _ block: Span<UInt8>, _ at: inout Int, into fields: inout FieldBlock
    ) throws(HPACKError) {
        let literal = try literal(block, &at, prefixBits: 6)
        let room = fields.room
        if room >= 0 {
            let target = unsafe fields.tail
            let counts = unsafe try place(literal, of: block, at: target, capacity: room)
            let count = counts.name &+ counts.value
            if count <= room {
                let token = unsafe try token(of: literal, at: target, count: counts.name)
                _ = fields.commit(
                    nameCount: counts.name, valueCount: counts.value, nameToken: token, isSensitive: false)
                if count &+ HPACKEntry.overhead <= table.limit {
                    unsafe ShortBytes.copy(target, to: table.makeRoom(count), count: count)
                }
                table.commit(nameCount: counts.name, valueCount: counts.value, nameToken: token)
                return
            }
        }
        fields.markTooLarge()
        try insertUnseen(literal, of: block)
    }

    /// Inserts a literal for which the list has no room, straight from the block.
    @inline(never)
    private mutating func insertUnseen(_ literal: Literal, of block: Span<UInt8>) throws(HPACKError) {
        let capacity = max(0, table.limit &- HPACKEntry.overhead)
        let target = unsafe table.makeRoom(capacity)
        // Found only now: making room may have moved the entry that has the name, and committing may evict it (§4.4).
        let counts = unsafe try place(literal, of: block, at: target, capacity: capacity)
        let fits = counts.name &+ counts.value <= capacity
        let token = fits ? unsafe try token(of: literal, at: target, count: counts.name) : 0
        table.commit(nameCount: counts.name, valueCount: counts.value, nameToken: token)
    }

    private mutating func decodeLiteral(
        _ block: Span<UInt8>, _ at: inout Int, into fields: inout FieldBlock, isSensitive: Bool
    ) throws(HPACKError) {
        let literal = try literal(block, &at, prefixBits: 4)
        let room = fields.room
        let target = unsafe fields.tail
        let counts = unsafe try place(literal, of: block, at: target, capacity: max(0, room))
        guard counts.name &+ counts.value <= room else { return fields.markTooLarge() }
        let token = unsafe try token(of: literal, at: target, count: counts.name)
        _ = fields.commit(
            nameCount: counts.name, valueCount: counts.value, nameToken: token, isSensitive: isSensitive)
    }

    /// A literal field, of which only the structure was read.
    private struct Literal {
        /// 0: the name is a string.
        let nameIndex: Int
        let name: Text
        let value: Text

        /// A string literal (§5.2): where it lies in the block.
        struct Text {
            let range: Range<Int>
            let isHuffman: Bool
        }
    }

    @inline(__always)
    private func literal(_ block: Span<UInt8>, _ at: inout Int, prefixBits: Int) throws(HPACKError) -> Literal {
        let index = try HPACKInteger.decode(block, &at, prefixBits: prefixBits)
        let name: Literal.Text
        if index == 0 {
            name = try text(block, &at)
        } else {
            _ = try entry(index)
            name = Literal.Text(range: 0..<0, isHuffman: false)
        }
        return Literal(nameIndex: index, name: name, value: try text(block, &at))
    }

    @inline(__always)
    private func text(_ block: Span<UInt8>, _ at: inout Int) throws(HPACKError) -> Literal.Text {
        guard at < block.count else { throw .truncated }
        let isHuffman = block[at] & 0x80 != 0
        let count = try HPACKInteger.decode(block, &at, prefixBits: 7)
        guard count <= block.count &- at else { throw .truncated }
        let start = at
        at &+= count
        return Literal.Text(range: start..<at, isHuffman: isHuffman)
    }

    /// Writes name and value of a literal one after the other, at most `capacity` bytes of them and
    /// ``ShortBytes/slack``. Returns what they have, even if that is more: then nothing of it may be read.
    private func place(
        _ literal: Literal, of block: Span<UInt8>, at target: UnsafeMutableRawPointer, capacity: Int
    ) throws(HPACKError) -> (name: Int, value: Int) {
        let nameCount: Int
        if literal.nameIndex == 0 {
            nameCount = unsafe try place(literal.name, of: block, at: target, capacity: capacity)
        } else {
            let entry = try entry(literal.nameIndex)
            nameCount = Int(entry.nameCount)
            if nameCount <= capacity {
                unsafe ShortBytes.copy(bytes(of: entry, literal.nameIndex), to: target, count: nameCount)
            }
        }
        let valueCount = unsafe try place(
            literal.value, of: block, at: target + min(nameCount, capacity), capacity: max(0, capacity &- nameCount))
        return (nameCount, valueCount)
    }

    @inline(__always)
    private func place(
        _ text: Literal.Text, of block: Span<UInt8>, at target: UnsafeMutableRawPointer, capacity: Int
    ) throws(HPACKError) -> Int {
        if text.isHuffman { return unsafe try huffman.decode(block, text.range, to: target, capacity: capacity) }
        let count = text.range.count
        if count > 0, count <= capacity {
            unsafe block.extracting(text.range).withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(start: target, count: count).copyMemory(from: source)
            }
        }
        return count
    }

    // MARK: Both tables as one

    /// The entry at an index (§2.3.3).
    @inline(__always)
    private func entry(_ index: Int) throws(HPACKError) -> HPACKEntry {
        if index <= HPACKStaticTable.count {
            guard index > 0 else { throw .badIndex }
            return statics[index]
        }
        let age = index &- HPACKStaticTable.count &- 1
        guard age < table.count else { throw .badIndex }
        return table[age: age]
    }

    /// Where name and value of the entry at that index lie.
    @unsafe @inline(__always)
    private func bytes(of entry: HPACKEntry, _ index: Int) -> UnsafeRawPointer {
        unsafe index <= HPACKStaticTable.count ? statics.bytes + Int(entry.start) : table.bytes(of: entry)
    }

    @inline(__always)
    private func token(of literal: Literal, at name: UnsafeRawPointer, count: Int) throws(HPACKError) -> UInt8 {
        if literal.nameIndex == 0 { return unsafe statics.token(ofName: name, count: count) }
        return try entry(literal.nameIndex).nameToken
    }
}
