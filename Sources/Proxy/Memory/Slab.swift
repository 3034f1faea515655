// SPDX-License-Identifier: Apache-2.0

/// Fixed-size places for elements of one type, at addresses that never change, given out and taken back in O(1).
///
/// Memory is asked for in blocks and kept for reuse, so after warm-up nothing is allocated. For one thread.
struct Slab<Element: ~Copyable>: ~Copyable {
    /// How many places one block has.
    private static var placesPerBlock: Int { 64 }

    private var free: [UnsafeMutablePointer<Element>] = []
    private var blocks: [UnsafeMutablePointer<Element>] = []

    /// An uninitialised place.
    mutating func take() -> UnsafeMutablePointer<Element> {
        if let place = free.popLast() { return place }
        let block = UnsafeMutablePointer<Element>.allocate(capacity: Self.placesPerBlock)
        blocks.append(block)
        free.reserveCapacity(blocks.count * Self.placesPerBlock)
        for index in 1..<Self.placesPerBlock { free.append(block + index) }
        return block
    }

    /// Takes back a place whose element has been deinitialised.
    mutating func giveBack(_ place: UnsafeMutablePointer<Element>) {
        #if DEBUG
            // Whoever still points here finds addresses that trap: no sanitizer sees into memory that is kept for reuse.
            UnsafeMutableRawPointer(place).initializeMemory(
                as: UInt8.self, repeating: 0xa5, count: MemoryLayout<Element>.stride)
        #endif
        free.append(place)
    }

    deinit { for block in blocks { block.deallocate() } }
}
