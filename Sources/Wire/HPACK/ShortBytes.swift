// SPDX-License-Identifier: Apache-2.0

/// Copying, comparing and hashing of names and values: a few dozen bytes, where a call to memcpy or memcmp costs as
/// much as the work itself.
enum ShortBytes {
    /// What must be allocated behind a store so that ``copy(_:to:count:)`` may pass its end.
    static let slack = 16

    /// Copies in steps of sixteen bytes: up to ``slack`` bytes more are read and written than asked for, so both sides
    /// must own them and nothing of worth may follow the target.
    @inline(__always)
    static func copy(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int) {
        guard count <= 128 else { return unsafe target.copyMemory(from: source, byteCount: count) }
        var at = 0
        repeat {
            let sixteen = unsafe source.loadUnaligned(fromByteOffset: at, as: SIMD16<UInt8>.self)
            unsafe target.storeBytes(of: sixteen, toByteOffset: at, as: SIMD16<UInt8>.self)
            at &+= 16
        } while at < count
    }

    /// Whether `count` bytes are the same. Reads nothing beyond them.
    @inline(__always)
    static func equal(_ one: UnsafeRawPointer, _ other: UnsafeRawPointer, count: Int) -> Bool {
        if count >= 8 {
            var at = 0
            let last = count &- 8
            while at < last {
                guard unsafe word(one, at) == word(other, at) else { return false }
                at &+= 8
            }
            return unsafe word(one, last) == word(other, last)  // may overlap the word before it
        }
        return unsafe tail(one, count) == tail(other, count)
    }

    /// A hash that begins with `seed`, so that a name and a value can be hashed one after the other. Sixteen bytes at a
    /// time by the halves of a product; a peer who knows it can make hashes collide, so every user bounds its probing.
    @inline(__always)
    static func hash(_ bytes: UnsafeRawPointer, count: Int, seed: UInt64) -> UInt64 {
        var state = seed ^ (UInt64(truncatingIfNeeded: count) &* 0x9e37_79b9_7f4a_7c15)
        guard count >= 8 else { return unsafe mix(state, tail(bytes, count), 0) }
        var at = 0
        while at &+ 16 < count {
            state = unsafe mix(state, word(bytes, at), word(bytes, at &+ 8))
            at &+= 16
        }
        // The last 8 to 16 bytes, some of them perhaps for the second time.
        return unsafe mix(state, word(bytes, max(0, count &- 16)), word(bytes, count &- 8))
    }

    @inline(__always)
    private static func mix(_ state: UInt64, _ first: UInt64, _ second: UInt64) -> UInt64 {
        let product = (state ^ first).multipliedFullWidth(by: second ^ 0xe703_7ed1_a0b4_28db)
        return product.high ^ product.low
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawPointer, _ at: Int) -> UInt64 {
        unsafe bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    }

    /// Up to seven bytes in one word.
    @inline(__always)
    private static func tail(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
        if count >= 4 {
            let first = unsafe bytes.loadUnaligned(as: UInt32.self)
            let last = unsafe bytes.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
            return UInt64(first) | UInt64(last) &<< 32
        }
        guard count > 0 else { return 0 }
        let first = unsafe bytes.load(as: UInt8.self)
        let middle = unsafe bytes.load(fromByteOffset: count &>> 1, as: UInt8.self)
        let last = unsafe bytes.load(fromByteOffset: count &- 1, as: UInt8.self)
        return UInt64(first) | UInt64(middle) &<< 8 | UInt64(last) &<< 16
    }
}
