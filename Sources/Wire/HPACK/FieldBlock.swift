// SPDX-License-Identifier: Apache-2.0

/// The fields of one header block or trailer section, in order, with their bytes in one store.
///
/// Two blocks of memory for life, of the size of the limits: a worker owns one and reuses it for every block. Names and
/// values are as they were sent; whether they are allowed is for HTTP/2 to say.
@safe
package struct FieldBlock: ~Copyable {
    /// One field: offsets into ``FieldBlock/bytes``.
    package struct Field: Hashable, Sendable, BitwiseCopyable {
        /// The name, as it was sent.
        package let name: ByteRange
        /// The value; may be empty.
        package let value: ByteRange
        /// Sent as never indexed: whoever passes the field on must send it so again (RFC 7541 §6.2.3).
        package let isSensitive: Bool
        /// The first static table entry with this name (RFC 7541 Appendix A), 1...61, however the name was sent;
        /// 0 when there is none. Two fields with the same token that is not 0 have the same name.
        package let nameToken: UInt8
    }

    /// The most fields that are held, whatever their size.
    package static let maximumFields = 200

    /// How many fields there are.
    package private(set) var count = 0
    /// The size of the header list in bytes: names, values and 32 for each field (RFC 9113 §6.5.2). Of the fields that
    /// are held: those that were dropped do not count.
    package private(set) var listBytes = 0
    /// A field did not fit into the limits. It was dropped, and so was every field after it.
    package private(set) var isTooLarge = false

    private let maximumListBytes: Int
    private let fields: UnsafeMutablePointer<Field>
    private let store: UnsafeMutableRawPointer

    /// An empty block that holds a header list of so many bytes, all of them allocated at once.
    package init(maximumListBytes: Int = 65_536) {
        precondition(maximumListBytes >= 0 && maximumListBytes <= 1 << 30, "list limit out of range")
        self.maximumListBytes = maximumListBytes
        unsafe fields = .allocate(capacity: Self.maximumFields)
        unsafe store = .allocate(byteCount: maximumListBytes + ShortBytes.slack, alignment: 16)
    }

    deinit {
        unsafe fields.deallocate()
        unsafe store.deallocate()
    }

    /// The field at `index`, in the order of the block.
    package subscript(index: Int) -> Field {
        @inline(__always) get {
            precondition(index >= 0 && index < count, "no such field")
            return unsafe fields[index]
        }
    }

    /// All bytes of names and values. Good until the block is changed or goes away.
    @unsafe
    package var bytes: UnsafeRawPointer { unsafe UnsafeRawPointer(store) }

    /// The same, as the rules for messages look at them.
    @unsafe
    var buffer: UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: store.assumingMemoryBound(to: UInt8.self), count: usedBytes)
    }

    /// Forgets every field, and that there were too many.
    package mutating func removeAll() {
        count = 0
        listBytes = 0
        isTooLarge = false
    }

    /// Adds a field at the end; copies its bytes.
    ///
    /// - Returns: false when it does not fit, or one before it did not: ``isTooLarge`` is set then.
    package mutating func append(
        name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, isSensitive: Bool
    ) -> Bool {
        guard name.count <= maximumListBytes, value.count <= maximumListBytes,
            name.count + value.count <= room
        else {
            isTooLarge = true
            return false
        }
        let target = unsafe tail
        var token: UInt8 = 0
        if let base = name.baseAddress {
            unsafe target.copyMemory(from: base, byteCount: name.count)
            token = unsafe HPACKStaticTable.shared.token(ofName: base, count: name.count)
        }
        if let base = value.baseAddress {
            unsafe (target + name.count).copyMemory(from: base, byteCount: value.count)
        }
        return commit(nameCount: name.count, valueCount: value.count, nameToken: token, isSensitive: isSensitive)
    }

    // MARK: For the decoder

    /// Bytes of names and values, all together.
    var usedBytes: Int { listBytes &- HPACKEntry.overhead &* count }

    /// Where the bytes of the next field go: there is memory for ``room`` and ``ShortBytes/slack``.
    var tail: UnsafeMutableRawPointer { unsafe store + usedBytes }

    /// The most bytes that name and value of the next field may have; negative when there may be none.
    var room: Int {
        isTooLarge || count == Self.maximumFields ? -1 : maximumListBytes &- listBytes &- HPACKEntry.overhead
    }

    /// Makes a field of the bytes that were written to ``tail``; false, and too large, when they are more than ``room``.
    @inline(__always)
    mutating func commit(nameCount: Int, valueCount: Int, nameToken: UInt8, isSensitive: Bool) -> Bool {
        guard nameCount &+ valueCount <= room else {
            isTooLarge = true
            return false
        }
        let start = UInt32(truncatingIfNeeded: usedBytes)
        let middle = start &+ UInt32(truncatingIfNeeded: nameCount)
        let end = middle &+ UInt32(truncatingIfNeeded: valueCount)
        unsafe (fields + count).initialize(
            to: Field(
                name: ByteRange(start: start, end: middle), value: ByteRange(start: middle, end: end),
                isSensitive: isSensitive, nameToken: nameToken))
        listBytes &+= nameCount &+ valueCount &+ HPACKEntry.overhead
        count &+= 1
        return true
    }

    /// For a field that is larger than ``room``.
    mutating func markTooLarge() { isTooLarge = true }

    /// Adds a table entry whose bytes, and ``ShortBytes/slack`` more, are at `source`. Costs nothing once too large.
    @inline(__always)
    mutating func append(_ entry: HPACKEntry, at source: UnsafeRawPointer) {
        guard entry.byteCount <= room else {
            isTooLarge = true
            return
        }
        unsafe ShortBytes.copy(source, to: tail, count: entry.byteCount)
        _ = commit(
            nameCount: Int(entry.nameCount), valueCount: Int(entry.valueCount), nameToken: entry.nameToken,
            isSensitive: false)
    }
}
