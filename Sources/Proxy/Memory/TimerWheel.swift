// SPDX-License-Identifier: Apache-2.0

/// Deadlines of connections: a hashed wheel with intrusive lists, O(1) to set, move and cancel.
///
/// "Hashed and hierarchical timing wheels", G. Varghese and T. Lauck, SOSP 1987. A deadline beyond one round stays in its
/// slot for the rounds it needs. A connection has at most one.
struct TimerWheel: ~Copyable {
    /// One slot is 2^22 ns, about 4 ms: detection waits 10 ms and must not take 20.
    static let tickShift: UInt64 = 22
    static let slotCount = 4096

    private let slots: UnsafeMutablePointer<ConnectionRef?>
    private let occupied: UnsafeMutablePointer<UInt64>
    private var tick: UInt64
    private var count = 0

    init(now: UInt64) {
        slots = .allocate(capacity: TimerWheel.slotCount)
        slots.initialize(repeating: nil, count: TimerWheel.slotCount)
        occupied = .allocate(capacity: TimerWheel.slotCount / 64)
        occupied.initialize(repeating: 0, count: TimerWheel.slotCount / 64)
        tick = now >> TimerWheel.tickShift
    }

    deinit {
        slots.deallocate()
        occupied.deallocate()
    }

    /// Sets or moves a connection's deadline, in nanoseconds of the monotonic clock.
    mutating func schedule(_ connection: ConnectionRef, at deadline: UInt64) {
        cancel(connection)
        // Rounded up: a timer may be late by a tick, never early.
        let slot = Int(truncatingIfNeeded: max((deadline >> TimerWheel.tickShift) + 1, tick + 1)) % TimerWheel.slotCount
        connection.pointee.timer.deadline = deadline
        connection.pointee.timer.slot = Int32(slot)
        connection.pointee.timer.previous = nil
        connection.pointee.timer.next = slots[slot]
        slots[slot]?.pointee.timer.previous = connection
        slots[slot] = connection
        occupied[slot / 64] |= 1 << UInt64(slot % 64)
        count += 1
    }

    /// Forgets a connection's deadline, if it has one.
    mutating func cancel(_ connection: ConnectionRef) {
        let slot = Int(connection.pointee.timer.slot)
        guard slot >= 0 else { return }
        let (previous, next) = (connection.pointee.timer.previous, connection.pointee.timer.next)
        if let previous { previous.pointee.timer.next = next } else { slots[slot] = next }
        next?.pointee.timer.previous = previous
        if slots[slot] == nil { occupied[slot / 64] &= ~(1 << UInt64(slot % 64)) }
        connection.pointee.timer.slot = -1
        count -= 1
    }

    /// How long a wait may take, in milliseconds for `epoll_wait`; -1 if there is no deadline. At most one round.
    func millisecondsToNext(now: UInt64) -> CInt {
        guard count > 0 else { return -1 }
        let start = Int(truncatingIfNeeded: (tick + 1) % UInt64(TimerWheel.slotCount))
        var distance = 0
        while distance < TimerWheel.slotCount {
            let slot = (start + distance) % TimerWheel.slotCount
            let word = occupied[slot / 64] >> UInt64(slot % 64)
            if word != 0 {
                distance += word.trailingZeroBitCount
                break
            }
            distance += 64 - slot % 64
        }
        let due = (tick + 1 + UInt64(distance)) << TimerWheel.tickShift
        return due <= now ? 0 : CInt(clamping: (due - now + 999_999) / 1_000_000)
    }

    /// Moves time on and returns one connection whose deadline has passed, with its deadline forgotten; `nil` when there is
    /// no further one. Call until `nil`.
    mutating func popExpired(now: UInt64) -> ConnectionRef? {
        let current = now >> TimerWheel.tickShift
        if count == 0 {
            tick = current
            return nil
        }
        while true {
            var next = slots[Int(truncatingIfNeeded: tick % UInt64(TimerWheel.slotCount))]
            while let connection = next {
                next = connection.pointee.timer.next
                if connection.pointee.timer.deadline <= now {
                    cancel(connection)
                    return connection
                }
            }
            guard tick < current else { return nil }
            // After a pause longer than a round every slot has been seen once: no need to go round again.
            if current - tick > UInt64(TimerWheel.slotCount) { tick = current - UInt64(TimerWheel.slotCount) }
            tick += 1
        }
    }
}

/// A connection's place in a ``TimerWheel``.
struct TimerLinks: BitwiseCopyable {
    var deadline: UInt64 = 0
    var slot: Int32 = -1
    var previous: ConnectionRef?
    var next: ConnectionRef?

    var isSet: Bool { slot >= 0 }
}
