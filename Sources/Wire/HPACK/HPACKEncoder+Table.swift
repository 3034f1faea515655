// SPDX-License-Identifier: Apache-2.0

/// A field as it is handed to the encoder, with pointers that are never nil. Good for the call only.
@safe
struct OutboundField {
    @unsafe let name: UnsafeRawPointer
    let nameCount: Int
    @unsafe let value: UnsafeRawPointer
    let valueCount: Int

    @inline(__always)
    init(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        // An empty buffer may have no address; any will do, because no byte is read.
        unsafe self.name = name.baseAddress ?? HPACKStaticTable.shared.bytes
        nameCount = name.count
        unsafe self.value = value.baseAddress ?? HPACKStaticTable.shared.bytes
        valueCount = value.count
    }

    var size: Int { nameCount &+ valueCount &+ HPACKEntry.overhead }
}

/// What a field becomes: an index, or a literal that is indexed or is not.
extension HPACKEncoder {
    /// Indexed field (RFC 7541 §6.1).
    @inline(__always)
    func encodeIndex(_ position: Int, to output: UnsafeMutableRawPointer) -> Int {
        unsafe HPACKInteger.encode(index(position), prefixBits: 7, pattern: 0x80, to: output)
    }

    /// A field that is in no table: a literal, and an entry if the policy allows.
    @inline(never)
    mutating func encodeNew(
        _ field: OutboundField, nameToken: UInt8, hash: UInt64, nameHash: UInt64, to output: UnsafeMutableRawPointer
    ) -> Int {
        guard field.size <= table.limit, policy.allows(size: field.size, limit: table.limit),
            !policy.waits(nameToken: nameToken) || recent.contains(orInserts: hash)
        else {
            return unsafe encodeLiteral(field, nameToken: nameToken, pattern: 0, prefixBits: 4, to: output)
        }
        let written = unsafe encodeLiteral(field, nameToken: nameToken, pattern: 0x40, prefixBits: 6, to: output)
        insert(field, nameToken: nameToken, hash: hash, nameHash: nameHash)
        return written
    }

    /// Literal field (RFC 7541 §6.2): `pattern` says of which kind.
    ///
    /// Mutating, like what it calls, only so that `self` is passed by address: borrowed, its 270 bytes are copied.
    mutating func encodeLiteral(
        _ field: OutboundField, nameToken: UInt8, pattern: UInt8, prefixBits: Int, to output: UnsafeMutableRawPointer
    ) -> Int {
        let nameIndex = nameToken != 0 ? Int(nameToken) : self.nameIndex(of: field)
        var written = unsafe HPACKInteger.encode(nameIndex, prefixBits: prefixBits, pattern: pattern, to: output)
        if nameIndex == 0 { written &+= unsafe encode(field.name, count: field.nameCount, to: output + written) }
        return unsafe written &+ encode(field.value, count: field.valueCount, to: output + written)
    }

    /// String literal (RFC 7541 §5.2).
    private mutating func encode(_ bytes: UnsafeRawPointer, count: Int, to output: UnsafeMutableRawPointer) -> Int {
        if usesHuffman, count > 0 {
            let huffman = Huffman.shared
            let encodedCount = unsafe huffman.encodedCount(bytes, count: count)
            if encodedCount <= count {
                let prefix = unsafe HPACKInteger.encode(encodedCount, prefixBits: 7, pattern: 0x80, to: output)
                return unsafe prefix &+ huffman.encode(bytes, count: count, to: output + prefix)
            }
        }
        let prefix = unsafe HPACKInteger.encode(count, prefixBits: 7, pattern: 0, to: output)
        unsafe (output + prefix).copyMemory(from: bytes, byteCount: count)
        return prefix &+ count
    }

    // MARK: Entries

    /// The index of the entry at a ring position (RFC 7541 §2.3.3).
    @inline(__always)
    private func index(_ position: Int) -> Int { HPACKStaticTable.count &+ 1 &+ table.age(position: position) }

    /// The ring position of the entry that is this field. One with a static name has its token, and is found by it.
    @inline(__always)
    func position(of field: OutboundField, nameToken: UInt8, hash: UInt64) -> Int? {
        fields.find(UInt32(truncatingIfNeeded: hash)) { position in
            let entry = table[age: table.age(position: position)]
            guard entry.nameToken == nameToken, Int(entry.valueCount) == field.valueCount else { return false }
            let bytes = unsafe table.bytes(of: entry)
            if nameToken == 0 {
                guard Int(entry.nameCount) == field.nameCount,
                    unsafe ShortBytes.equal(bytes, field.name, count: field.nameCount)
                else { return false }
            }
            return unsafe ShortBytes.equal(bytes + Int(entry.nameCount), field.value, count: field.valueCount)
        }
    }

    /// An index with the field's name, or 0.
    private mutating func nameIndex(of field: OutboundField) -> Int {
        let token = unsafe statics.token(ofName: field.name, count: field.nameCount)
        if token != 0 { return Int(token) }
        let hash = unsafe ShortBytes.hash(field.name, count: field.nameCount, seed: 0)
        return namePosition(of: field, hash: hash).map { index($0) } ?? 0
    }

    private mutating func namePosition(of field: OutboundField, hash: UInt64) -> Int? {
        names.find(UInt32(truncatingIfNeeded: hash)) { position in
            let entry = table[age: table.age(position: position)]
            guard Int(entry.nameCount) == field.nameCount else { return false }
            return unsafe ShortBytes.equal(table.bytes(of: entry), field.name, count: field.nameCount)
        }
    }

    /// Adds an entry that fits into the table.
    private mutating func insert(_ field: OutboundField, nameToken: UInt8, hash: UInt64, nameHash: UInt64) {
        evict(downTo: table.limit &- field.size)
        let target = unsafe table.makeRoom(field.nameCount &+ field.valueCount)
        unsafe target.copyMemory(from: field.name, byteCount: field.nameCount)
        unsafe (target + field.nameCount).copyMemory(from: field.value, byteCount: field.valueCount)
        if nameToken == 0, let older = namePosition(of: field, hash: nameHash) { names.remove(older) }
        table.commit(nameCount: field.nameCount, valueCount: field.valueCount, nameToken: nameToken)
        let position = table.position(age: 0)
        fields.insert(position, hash: UInt32(truncatingIfNeeded: hash))
        if nameToken == 0 { names.insert(position, hash: UInt32(truncatingIfNeeded: nameHash)) }
    }

    /// Removes the oldest entries until the others have at most so many bytes.
    mutating func evict(downTo bytes: Int) {
        while table.size > bytes {
            let oldest = table.position(age: table.count &- 1)
            fields.remove(oldest)
            names.remove(oldest)
            table.evictOldest()
        }
    }
}
