// SPDX-License-Identifier: Apache-2.0

/// Encodes the header blocks of one direction of one HTTP/2 connection (RFC 7541): ``begin(_:)``, then ``encode`` for
/// each field. Every block must reach the peer, in this order, because the next ones build on it.
///
/// Pure and without allocation, except when the first entries are inserted into the dynamic table. Which fields are
/// indexed is for ``IndexingPolicy`` to say.
@safe
package struct HPACKEncoder: ~Copyable {
    let statics = HPACKStaticTable.shared
    let policy: IndexingPolicy
    /// Off for the proxy. Measured on a request of 11 fields, two of them literals of 150 bytes together: 29 bytes fewer
    /// (158 to 129), but 190 to 430 ns here and 130 to 550 ns at a peer like us (AMD EPYC, 2 shared cores at a load of
    /// 2, Swift 6.3.1 -O, best of 7; at higher loads the ratio was the same or worse). Between nodes bytes are cheaper.
    let usesHuffman: Bool
    var table: HPACKDynamicTable
    /// Entries by name and value.
    var fields: HPACKHashIndex
    /// Entries with a name that is not static, by name: the newest with each.
    var names: HPACKHashIndex
    var recent = RecentHashes()

    /// The table limit that the peer knows of.
    private var announcedLimit = initialPeerLimit
    /// The smallest limit since the last block.
    private var lowestLimit: Int
    /// The limit for the next block.
    private var nextLimit: Int

    /// The initial value of SETTINGS_HEADER_TABLE_SIZE (RFC 9113 §6.5.2).
    private static let initialPeerLimit = 4096

    /// `maximumTableBytes`, at most 65,536, bounds the dynamic table; so does the peer's SETTINGS_HEADER_TABLE_SIZE, which
    /// is 4,096 until ``setPeerLimit(_:)``.
    package init(maximumTableBytes: Int = 4096) {
        self.init(maximumTableBytes: maximumTableBytes, usesHuffman: false, policy: .selective)
    }

    init(maximumTableBytes: Int, usesHuffman: Bool, policy: IndexingPolicy) {
        self.usesHuffman = usesHuffman
        self.policy = policy
        table = HPACKDynamicTable(maximumLimit: maximumTableBytes)
        let positions = HPACKDynamicTable.positions(maximumTableBytes)
        fields = HPACKHashIndex(positions: positions)
        names = HPACKHashIndex(positions: positions)
        nextLimit = min(maximumTableBytes, Self.initialPeerLimit)
        lowestLimit = nextLimit
        table.setLimit(nextLimit)
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE in bytes. It takes effect with the next block (RFC 7541 §4.2).
    package mutating func setPeerLimit(_ bytes: UInt32) {
        nextLimit = min(Int(bytes), table.maximumLimit)
        lowestLimit = min(lowestLimit, nextLimit)
    }

    /// Room that a block needs at most, in bytes, for so many fields with so many bytes of names and values in all.
    package static func maximumBlockBytes(fields: Int, bytes: Int) -> Int {
        // Two size updates; each field a byte or an index, and two lengths. Huffman coding is not used where it is
        // longer.
        2 * HPACKInteger.maximumBytes + fields * (1 + 2 * HPACKInteger.maximumBytes) + bytes
    }

    /// Begins a block: writes the table size updates that are due (RFC 7541 §4.2, §6.3). Returns the bytes written, at
    /// most what ``maximumBlockBytes(fields:bytes:)`` says for no field.
    package mutating func begin(_ output: UnsafeMutableRawPointer) -> Int {
        guard lowestLimit != announcedLimit || nextLimit != announcedLimit else { return 0 }
        // Lowered and raised again: the peer has evicted down to the lowest, so it must be told, and we must too.
        var written = 0
        if lowestLimit < announcedLimit { written = unsafe announce(lowestLimit, output) }
        if nextLimit != announcedLimit { written &+= unsafe announce(nextLimit, output + written) }
        lowestLimit = nextLimit
        return written
    }

    private mutating func announce(_ limit: Int, _ output: UnsafeMutableRawPointer) -> Int {
        evict(downTo: limit)
        table.setLimit(limit)
        announcedLimit = limit
        return unsafe HPACKInteger.encode(limit, prefixBits: 5, pattern: 0x20, to: output)
    }

    /// Encodes a field. Returns the bytes written, at most what ``maximumBlockBytes(fields:bytes:)`` says for one field.
    ///
    /// `nameToken` is what ``FieldBlock/Field/nameToken`` says, or 0 when it is not known, which costs a look-up.
    /// `isSensitive` fields are sent as never indexed and enter no table (RFC 7541 §6.2.3, §7.1.3).
    package mutating func encode(
        name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, nameToken: UInt8, isSensitive: Bool,
        to output: UnsafeMutableRawPointer
    ) -> Int {
        let field = unsafe OutboundField(name: name, value: value)
        assert(unsafe nameToken == 0 || nameToken == statics.token(ofName: field.name, count: field.nameCount))
        guard !isSensitive else {
            return unsafe encodeLiteral(field, nameToken: nameToken, pattern: 0x10, prefixBits: 4, to: output)
        }
        if nameToken != 0 { return unsafe encode(field, nameToken: nameToken, to: output) }
        let hash = unsafe ShortBytes.hash(field.name, count: field.nameCount, seed: 0)
        let fieldHash = unsafe ShortBytes.hash(field.value, count: field.valueCount, seed: hash)
        if let position = position(of: field, nameToken: 0, hash: fieldHash) {
            return unsafe encodeIndex(position, to: output)
        }
        let known = unsafe statics.token(ofName: field.name, count: field.nameCount)
        if known != 0 { return unsafe encode(field, nameToken: known, to: output) }
        return unsafe encodeNew(field, nameToken: 0, hash: fieldHash, nameHash: hash, to: output)
    }

    /// A field whose name is static.
    @inline(__always)
    private mutating func encode(_ field: OutboundField, nameToken: UInt8, to output: UnsafeMutableRawPointer) -> Int {
        let index = unsafe statics.index(token: nameToken, value: field.value, count: field.valueCount)
        if index != 0 { return unsafe HPACKInteger.encode(index, prefixBits: 7, pattern: 0x80, to: output) }
        guard policy.allows(nameToken: nameToken) else {
            return unsafe encodeLiteral(field, nameToken: nameToken, pattern: 0, prefixBits: 4, to: output)
        }
        let hash = unsafe ShortBytes.hash(field.value, count: field.valueCount, seed: UInt64(nameToken))
        if let position = position(of: field, nameToken: nameToken, hash: hash) {
            return unsafe encodeIndex(position, to: output)
        }
        return unsafe encodeNew(field, nameToken: nameToken, hash: hash, nameHash: 0, to: output)
    }
}
