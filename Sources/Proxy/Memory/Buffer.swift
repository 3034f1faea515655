// SPDX-License-Identifier: Apache-2.0

/// Bytes that wait: read and not yet forwarded, or to be written and not yet taken by the kernel.
///
/// A handle; its memory belongs to the worker's ``BufferPool``. An empty buffer holds no memory, so an idle connection has
/// none.
struct Buffer: BitwiseCopyable {
    fileprivate(set) var base: UnsafeMutableRawPointer?
    fileprivate(set) var capacity: Int = 0
    /// The waiting bytes are `start..<end`.
    private(set) var start: Int = 0
    private(set) var end: Int = 0

    var count: Int { end - start }
    var isEmpty: Bool { start == end }
    var bytes: UnsafeRawPointer { UnsafeRawPointer(base! + start) }
    /// Where more bytes may be written, and how many.
    var room: Int { capacity - end }
    var tail: UnsafeMutableRawPointer { base! + end }

    /// Counts bytes that have been written to ``tail``.
    mutating func commit(_ count: Int) { end += count }

    /// Forgets the first `count` bytes.
    mutating func consume(_ count: Int) {
        start += count
        assert(start <= end)
    }

    fileprivate mutating func adopt(_ memory: UnsafeMutableRawPointer, capacity: Int) {
        let waiting = count
        if waiting > 0 { memory.copyMemory(from: base! + start, byteCount: waiting) }
        base = memory
        self.capacity = capacity
        start = 0
        end = waiting
    }

    fileprivate mutating func compact() {
        guard start > 0 else { return }
        let waiting = count
        if waiting > 0 { base!.copyMemory(from: base! + start, byteCount: waiting) }  // memmove: may overlap
        start = 0
        end = waiting
    }
}

/// A worker's memory for ``Buffer``s, in six sizes, with a free list each.
struct BufferPool: ~Copyable {
    /// Sizes in bytes. The smallest holds the head of a request that HTTP/2 keeps for the case that it must be sent again;
    /// the one above 64 KiB a full window with its record heads; the largest a head at its limit together with one full
    /// read and a kept request.
    static let sizes: InlineArray<6, Int> = [512, 4096, 16_384, 65_536, 131_072, 262_144]
    /// What a read that waits for more is given at least.
    static let readBytes = 4096
    /// How many bytes of free buffers are kept for reuse; beyond it they go back to the allocator, so that one burst does
    /// not hold memory for ever.
    static let keptBytes = 8 << 20

    /// One list per size, linked through the buffers' first words.
    private var free = InlineArray<6, UnsafeMutableRawPointer?>(repeating: nil)
    private var freeBytes = 0

    /// Makes room for `count` more bytes. The pod that pays is charged for the memory.
    mutating func reserve(_ buffer: inout Buffer, _ count: Int, for pod: PodRef) {
        if buffer.base != nil {
            if buffer.room >= count { return }
            if buffer.capacity - buffer.count >= count {
                buffer.compact()
                return
            }
        }
        let list = BufferPool.list(buffer.count + count)
        let size = BufferPool.sizes[list]
        let memory = allocate(list)
        let (old, oldSize) = (buffer.base, buffer.capacity)
        buffer.adopt(memory, capacity: size)
        pod.pointee.bufferedBytes += size - oldSize
        if let old { recycle(old, oldSize) }
    }

    /// Adds a copy of bytes at the end.
    mutating func append(_ buffer: inout Buffer, _ bytes: UnsafeRawPointer, _ count: Int, for pod: PodRef) {
        guard count > 0 else { return }
        reserve(&buffer, count, for: pod)
        buffer.tail.copyMemory(from: bytes, byteCount: count)
        buffer.commit(count)
    }

    /// Gives the memory back.
    mutating func release(_ buffer: inout Buffer, for pod: PodRef) {
        guard let base = buffer.base else { return }
        pod.pointee.bufferedBytes -= buffer.capacity
        recycle(base, buffer.capacity)
        buffer = Buffer()
    }

    /// Gives the memory back if nothing waits in it.
    mutating func releaseIfEmpty(_ buffer: inout Buffer, for pod: PodRef) {
        if buffer.isEmpty { release(&buffer, for: pod) }
    }

    /// The smallest size that holds so many bytes, by its place among ``sizes``.
    private static func list(_ count: Int) -> Int {
        for index in 0..<6 where count <= sizes[index] { return index }
        // Reads stop while anything waits, so no buffer ever needs more (see `sizes`).
        preconditionFailure("buffer over its bound")
    }

    private mutating func allocate(_ list: Int) -> UnsafeMutableRawPointer {
        let size = BufferPool.sizes[list]
        guard let head = free[list] else { return .allocate(byteCount: size, alignment: 16) }
        free[list] = head.load(as: UnsafeMutableRawPointer?.self)
        freeBytes -= size
        return head
    }

    private mutating func recycle(_ memory: UnsafeMutableRawPointer, _ size: Int) {
        #if DEBUG
            memory.initializeMemory(as: UInt8.self, repeating: 0xa5, count: size)
        #endif
        guard freeBytes + size <= BufferPool.keptBytes else {
            memory.deallocate()
            return
        }
        let list = BufferPool.list(size)
        memory.storeBytes(of: free[list], as: UnsafeMutableRawPointer?.self)
        free[list] = memory
        freeBytes += size
    }
}
