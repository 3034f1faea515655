// SPDX-License-Identifier: Apache-2.0

/// Finds positions of the dynamic table's ring by a hash of what is there: open addressing with linear probing, of a
/// fixed size, at most half full. Nothing is allocated before the first insertion.
///
/// The encoder has two: by name and value, and by name. Hashes that a peer made collide cost at most one comparison of
/// hashes per entry of the table; bytes are compared by the user.
@safe
struct HPACKHashIndex: ~Copyable {
    private let slotMask: Int
    /// The slots: position + 1, 0 when free. Behind them the hashes by position, 0 when not in this index.
    private var memory: UnsafeMutableRawPointer?

    /// An empty index for a ring of so many positions, a power of two below 2^15.
    init(positions: Int) {
        precondition(positions < 1 << 15, "positions do not fit into 16 bits")
        slotMask = 2 * positions - 1
        unsafe memory = nil
    }

    deinit { unsafe memory?.deallocate() }

    private var slots: UnsafeMutablePointer<UInt16> {
        unsafe memory.unsafelyUnwrapped.assumingMemoryBound(to: UInt16.self)
    }

    private var hashes: UnsafeMutablePointer<UInt32> {
        unsafe (memory.unsafelyUnwrapped + (slotMask &+ 1) &* 2).assumingMemoryBound(to: UInt32.self)
    }

    /// The first position with that hash for which `isMatch` holds.
    @inline(__always)
    func find(_ hash: UInt32, where isMatch: (Int) -> Bool) -> Int? {
        guard unsafe memory != nil else { return nil }
        let hash = hash | 1
        var slot = home(hash)
        while true {
            let position = unsafe Int(slots[slot]) &- 1
            guard position >= 0 else { return nil }
            if unsafe hashes[position] == hash, isMatch(position) { return position }
            slot = (slot &+ 1) & slotMask
        }
    }

    /// Adds a position, which must not be in the index.
    mutating func insert(_ position: Int, hash: UInt32) {
        if unsafe memory == nil { allocate() }
        let hash = hash | 1
        unsafe hashes[position] = hash
        var slot = home(hash)
        while unsafe slots[slot] != 0 { slot = (slot &+ 1) & slotMask }
        unsafe slots[slot] = UInt16(truncatingIfNeeded: position &+ 1)
    }

    /// Removes a position if it is in the index.
    mutating func remove(_ position: Int) {
        guard unsafe memory != nil else { return }
        let hash = unsafe hashes[position]
        guard hash != 0 else { return }
        unsafe hashes[position] = 0
        var hole = home(hash)
        while unsafe Int(slots[hole]) != position &+ 1 { hole = (hole &+ 1) & slotMask }
        // Close the gap: whatever could not have its own slot moves nearer to it, so no marks are left to be skipped.
        var slot = hole
        while true {
            slot = (slot &+ 1) & slotMask
            let other = unsafe slots[slot]
            guard other != 0 else { break }
            let distance = unsafe (slot &- home(hashes[Int(other) &- 1])) & slotMask
            guard distance >= (slot &- hole) & slotMask else { continue }
            unsafe slots[hole] = other
            hole = slot
        }
        unsafe slots[hole] = 0
    }

    @inline(never)
    private mutating func allocate() {
        let slotCount = slotMask + 1
        let byteCount = slotCount * 2 + slotCount / 2 * 4
        let zeroes = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
        unsafe zeroes.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        unsafe memory = zeroes
    }

    @inline(__always)
    private func home(_ hash: UInt32) -> Int { Int(hash &>> 1) & slotMask }
}
