// SPDX-License-Identifier: Apache-2.0

/// The dynamic table (RFC 7541 §2.3.2): entries in a ring, their bytes one after another in a store.
///
/// New bytes go behind the old ones; when they do not fit, those that are still in use move to the front of the store, or
/// of a larger one if they fill half of it. So an entry never wraps around and is copied whole, and a byte is moved about
/// once. Nothing is allocated before the first insertion; then it is 2.5 KiB for the usual limit of 4,096 bytes, since most
/// connections send a few hundred bytes of fields again and again, and the store grows to twice the limit at most.
@safe
struct HPACKDynamicTable: ~Copyable {
    /// The most bytes that the limit may ever be.
    let maximumLimit: Int
    /// The limit on ``size`` that is in force.
    private(set) var limit: Int
    /// Sum of the sizes of all entries (RFC 7541 §4.1).
    private(set) var size = 0
    /// How many entries there are.
    private(set) var count = 0

    /// Entries ever inserted, modulo 2^32; the newest is at this minus one.
    private var inserted: UInt32 = 0
    /// What ``HPACKEntry/start`` of the byte at the front of the store would be.
    private var origin: UInt32 = 0
    /// Behind the last byte, counted as in ``HPACKEntry/start``.
    private var end: UInt32 = 0
    private let mask: UInt32
    private var ring: UnsafeMutablePointer<HPACKEntry>?
    /// The store, and ``ShortBytes/slack`` behind it.
    private var memory: UnsafeMutableRawPointer?
    private var capacity = 0

    /// Bytes of the store at first.
    private static let firstCapacity = 1024

    /// The largest table that can be asked for: 16-bit lengths are enough then.
    static let largest = 65_536

    /// An empty table whose limit is `maximumLimit` bytes, at most ``largest``.
    init(maximumLimit: Int) {
        precondition(maximumLimit >= 0 && maximumLimit <= Self.largest, "table size out of range")
        self.maximumLimit = maximumLimit
        limit = maximumLimit
        mask = UInt32(Self.positions(maximumLimit) - 1)
        unsafe ring = nil
        unsafe memory = nil
    }

    deinit {
        unsafe ring?.deallocate()
        unsafe memory?.deallocate()
    }

    /// Positions of the ring for such a limit: a power of two, at least the most entries that fit.
    static func positions(_ limit: Int) -> Int {
        let most = max(1, limit / HPACKEntry.overhead)
        return 1 << (Int.bitWidth - (most - 1).leadingZeroBitCount)
    }

    /// The ring position of the entry that is `age` insertions older than the newest.
    @inline(__always)
    func position(age: Int) -> Int { Int((inserted &- 1 &- UInt32(truncatingIfNeeded: age)) & mask) }

    /// How many insertions ago the entry at a ring position was made.
    @inline(__always)
    func age(position: Int) -> Int { Int((inserted &- 1 &- UInt32(truncatingIfNeeded: position)) & mask) }

    /// The entry that is `age` insertions older than the newest; `age` must be below ``count``.
    @inline(__always)
    subscript(age age: Int) -> HPACKEntry {
        precondition(age >= 0 && age < count, "no such entry")
        return unsafe entry(position(age: age)).pointee
    }

    /// Where an entry's name and value lie. Good until the next insertion or ``makeRoom(_:)``.
    @unsafe @inline(__always)
    func bytes(of entry: HPACKEntry) -> UnsafeRawPointer { unsafe UnsafeRawPointer(store(entry.start)) }

    /// Changes the limit, at most ``maximumLimit``, and evicts what it has no room for any more (RFC 7541 §4.3).
    mutating func setLimit(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= maximumLimit, "limit above the maximum")
        limit = bytes
        while size > limit { evictOldest() }
    }

    /// Removes the oldest entry. Its bytes stay readable until ``makeRoom(_:)``.
    @inline(__always)
    mutating func evictOldest() {
        size &-= self[age: count &- 1].size
        count &-= 1
    }

    /// Memory for `bytes` more bytes behind the newest entry, at most ``maximumLimit``. Evicts nothing, so an entry may
    /// be built there out of one that it will evict (RFC 7541 §4.4); but it may move all entries.
    @inline(__always)
    mutating func makeRoom(_ bytes: Int) -> UnsafeMutableRawPointer {
        assert(bytes <= maximumLimit)
        if unsafe memory == nil || Int(end &- origin) &+ bytes > capacity { compact(for: bytes) }
        return unsafe store(end)
    }

    /// Makes an entry of the bytes that were written to ``makeRoom(_:)``, and evicts for it. One that is larger than
    /// the limit empties the table instead, which is not an error (RFC 7541 §4.4).
    @inline(__always)
    mutating func commit(nameCount: Int, valueCount: Int, nameToken: UInt8) {
        let needed = nameCount &+ valueCount &+ HPACKEntry.overhead
        while count > 0, size &+ needed > limit { evictOldest() }
        guard needed <= limit else { return }
        let position = Int(inserted & mask)
        unsafe entry(position).initialize(
            to: HPACKEntry(
                start: end, nameCount: UInt16(truncatingIfNeeded: nameCount),
                valueCount: UInt16(truncatingIfNeeded: valueCount), nameToken: nameToken))
        end &+= UInt32(truncatingIfNeeded: nameCount &+ valueCount)
        size &+= needed
        count &+= 1
        inserted &+= 1
    }

    /// Moves what is in use to the front, so that `bytes` more fit.
    @inline(never)
    private mutating func compact(for bytes: Int) {
        let first = count > 0 ? self[age: count - 1].start : end
        let used = Int(end &- first)
        if unsafe memory == nil || (used + bytes > capacity / 2 && capacity < 2 * maximumLimit) {
            // Twice in its life at most: whoever needs more than the first few hundred bytes soon needs all.
            let fits = capacity == 0 && 2 * bytes <= Self.firstCapacity
            grow(to: min(2 * maximumLimit, fits ? Self.firstCapacity : 2 * maximumLimit), from: first, used)
        } else if used > 0 {
            unsafe store(origin).copyMemory(from: store(first), byteCount: used)
        }
        origin = first
    }

    private mutating func grow(to newCapacity: Int, from first: UInt32, _ used: Int) {
        if unsafe ring == nil { unsafe ring = .allocate(capacity: Int(mask) + 1) }
        let byteCount = newCapacity + ShortBytes.slack
        let larger = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
        if used > 0 { unsafe larger.copyMemory(from: store(first), byteCount: used) }
        // Copies may read slack that nothing was written to yet.
        unsafe (larger + used).initializeMemory(as: UInt8.self, repeating: 0, count: byteCount - used)
        unsafe memory?.deallocate()
        unsafe memory = larger
        capacity = newCapacity
    }

    @inline(__always)
    private func entry(_ position: Int) -> UnsafeMutablePointer<HPACKEntry> {
        unsafe ring.unsafelyUnwrapped + position
    }

    @inline(__always)
    private func store(_ start: UInt32) -> UnsafeMutableRawPointer {
        unsafe memory.unsafelyUnwrapped + Int(start &- origin)
    }
}
