// SPDX-License-Identifier: Apache-2.0

/// The open streams of one HTTP/2 connection, by identifier: open addressing with linear probing.
///
/// Has no memory until the first stream, and keeps what it has grown to. For one thread.
struct StreamTable: ~Copyable {
    private struct Slot: BitwiseCopyable {
        var id: UInt32 = 0
        var stream: StreamRef?
    }

    /// Slots at first; a power of two, as always.
    private static let firstCapacity = 16

    private var slots: UnsafeMutablePointer<Slot>?
    private var capacity = 0
    private(set) var count = 0

    deinit { slots?.deallocate() }

    var isEmpty: Bool { count == 0 }

    /// The stream, or `nil` if it is not open.
    func find(_ id: UInt32) -> StreamRef? {
        guard let slots else { return nil }
        var index = home(id)
        while let stream = slots[index].stream {
            if slots[index].id == id { return stream }
            index = (index &+ 1) & (capacity &- 1)
        }
        return nil
    }

    /// Adds a stream that is not in the table.
    mutating func insert(_ id: UInt32, _ stream: StreamRef) {
        if count * 2 >= capacity { grow() }
        place(id, stream)
        count += 1
    }

    /// Removes a stream, if it is there.
    mutating func remove(_ id: UInt32) {
        guard let slots else { return }
        var index = home(id)
        while slots[index].id != id || slots[index].stream == nil {
            guard slots[index].stream != nil else { return }
            index = (index &+ 1) & (capacity &- 1)
        }
        count -= 1
        // Close the gap, so that a search may go on ending at the first empty slot.
        var gap = index
        while true {
            index = (index &+ 1) & (capacity &- 1)
            guard slots[index].stream != nil else { break }
            let distance = (index &- home(slots[index].id)) & (capacity &- 1)
            if distance >= (index &- gap) & (capacity &- 1) {
                slots[gap] = slots[index]
                gap = index
            }
        }
        slots[gap] = Slot()
    }

    /// Some open stream; `nil` if there is none.
    var any: StreamRef? {
        guard count > 0, let slots else { return nil }
        for index in 0..<capacity { if let stream = slots[index].stream { return stream } }
        return nil
    }

    /// Calls `body` for each stream, which must not open or close one.
    func forEach(_ body: (StreamRef) -> Void) {
        guard let slots else { return }
        for index in 0..<capacity { if let stream = slots[index].stream { body(stream) } }
    }

    /// The first stream that `matches`; linear.
    func first(where matches: (StreamRef) -> Bool) -> StreamRef? {
        guard let slots else { return nil }
        for index in 0..<capacity { if let stream = slots[index].stream, matches(stream) { return stream } }
        return nil
    }

    /// Identifiers of one peer are all odd or all even: without the last bit neighbours lie side by side.
    private func home(_ id: UInt32) -> Int { Int(id >> 1) & (capacity &- 1) }

    private mutating func place(_ id: UInt32, _ stream: StreamRef) {
        guard let slots else { return }
        var index = home(id)
        while slots[index].stream != nil { index = (index &+ 1) & (capacity &- 1) }
        slots[index] = Slot(id: id, stream: stream)
    }

    @inline(never)
    private mutating func grow() {
        let (old, oldCapacity) = (slots, capacity)
        capacity = oldCapacity == 0 ? StreamTable.firstCapacity : oldCapacity * 2
        let fresh = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
        fresh.initialize(repeating: Slot(), count: capacity)
        slots = fresh
        guard let old else { return }
        for index in 0..<oldCapacity { if let stream = old[index].stream { place(old[index].id, stream) } }
        old.deallocate()
    }
}
