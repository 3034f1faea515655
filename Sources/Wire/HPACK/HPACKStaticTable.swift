// SPDX-License-Identifier: Apache-2.0

/// The static table (RFC 7541 Appendix A) and a hash of its names.
///
/// Built once per process and never freed. Whoever needs it keeps a copy of these pointers, so that the hot path does
/// not test for its initialisation.
@safe
struct HPACKStaticTable: @unchecked Sendable {  // unchecked: nothing writes to the memory after init
    static let shared = HPACKStaticTable()

    /// The highest index, and so the highest token of a name.
    static let count = 61
    private static let slotCount = 128
    private static let longestName = 27

    /// Names and values; ``ShortBytes/slack`` follows.
    @unsafe let bytes: UnsafeRawPointer
    /// Entry 0 is a dummy: the table counts from 1.
    private let entries: UnsafePointer<HPACKEntry>
    /// Tokens by the hash of the name; 0 is a free slot.
    private let slots: UnsafePointer<UInt8>

    /// The entry at `index`, which must be in 1...61.
    @inline(__always)
    subscript(index: Int) -> HPACKEntry {
        assert(index >= 1 && index <= Self.count)
        return unsafe entries[index]
    }

    /// The first entry with that name, or 0.
    @inline(__always)
    func token(ofName name: UnsafeRawPointer, count: Int) -> UInt8 {
        guard count <= Self.longestName else { return 0 }
        var slot = unsafe Self.slot(name, count)
        while true {
            let token = unsafe slots[slot]
            guard token != 0 else { return 0 }
            let entry = unsafe entries[Int(token)]
            if Int(entry.nameCount) == count, unsafe ShortBytes.equal(name, bytes + Int(entry.start), count: count) {
                return token
            }
            slot = (slot &+ 1) & (Self.slotCount &- 1)
        }
    }

    /// The entry with the name of `token` and that value, or 0.
    @inline(__always)
    func index(token: UInt8, value: UnsafeRawPointer, count: Int) -> Int {
        // Entries of one name are neighbours (at most 7, of :status), and only those up to 16 have values.
        guard token <= 16 else { return 0 }
        var index = Int(token)
        while true {
            let entry = unsafe entries[index]
            guard entry.nameToken == token else { return 0 }
            if Int(entry.valueCount) == count, count > 0 {
                let known = unsafe bytes + Int(entry.start) + Int(entry.nameCount)
                if unsafe ShortBytes.equal(value, known, count: count) { return index }
            }
            index &+= 1
        }
    }

    @inline(__always)
    private static func slot(_ name: UnsafeRawPointer, _ count: Int) -> Int {
        let hash = unsafe ShortBytes.hash(name, count: count, seed: 0)
        return Int(truncatingIfNeeded: hash) & (slotCount &- 1)
    }

    private init() {
        let byteCount = Self.fields.reduce(0) { $0 + $1.name.utf8CodeUnitCount + $1.value.utf8CodeUnitCount }
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: byteCount + ShortBytes.slack, alignment: 16)
        let entries = UnsafeMutablePointer<HPACKEntry>.allocate(capacity: Self.count + 2)
        let slots = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.slotCount)
        unsafe (bytes + byteCount).initializeMemory(as: UInt8.self, repeating: 0, count: ShortBytes.slack)
        unsafe slots.initialize(repeating: 0, count: Self.slotCount)
        let none = HPACKEntry(start: 0, nameCount: 0, valueCount: 0, nameToken: 0)
        unsafe entries.initialize(repeating: none, count: Self.count + 2)
        var end = 0
        for (offset, field) in Self.fields.enumerated() {
            let (nameCount, valueCount) = (field.name.utf8CodeUnitCount, field.value.utf8CodeUnitCount)
            let name = unsafe bytes + end
            unsafe name.copyMemory(from: field.name.utf8Start, byteCount: nameCount)
            unsafe (name + nameCount).copyMemory(from: field.value.utf8Start, byteCount: valueCount)
            var token = unsafe entries[offset].nameToken
            let isNew = offset == 0 || Self.fields[offset - 1].name.description != field.name.description
            if isNew {
                token = UInt8(offset + 1)
                var slot = unsafe Self.slot(name, nameCount)
                while unsafe slots[slot] != 0 { slot = (slot + 1) & (Self.slotCount - 1) }
                unsafe slots[slot] = token
            }
            unsafe entries[offset + 1] = HPACKEntry(
                start: UInt32(end), nameCount: UInt16(nameCount), valueCount: UInt16(valueCount), nameToken: token)
            end += nameCount + valueCount
        }
        unsafe self.bytes = UnsafeRawPointer(bytes)
        unsafe self.entries = UnsafePointer(entries)
        unsafe self.slots = UnsafePointer(slots)
    }
}

extension HPACKStaticTable {
    /// Appendix A, in its order.
    static let fields: [(name: StaticString, value: StaticString)] = [
        (":authority", ""),
        (":method", "GET"), (":method", "POST"),
        (":path", "/"), (":path", "/index.html"),
        (":scheme", "http"), (":scheme", "https"),
        (":status", "200"), (":status", "204"), (":status", "206"), (":status", "304"),
        (":status", "400"), (":status", "404"), (":status", "500"),
        ("accept-charset", ""), ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""),
        ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""),
        ("cache-control", ""), ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""),
        ("content-length", ""), ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""),
        ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""),
        ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""),
        ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""),
        ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""),
        ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""), ("transfer-encoding", ""),
        ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
    ]
}
