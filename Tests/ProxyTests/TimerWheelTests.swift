// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Proxy

@Suite("timer wheel")
struct TimerWheelTests {
    static let start: UInt64 = 1_000_000_000_000

    /// Connections that have only a timer.
    struct Timers: ~Copyable {
        var wheel = TimerWheel(now: TimerWheelTests.start)
        var slab = Slab<Connection>()

        mutating func schedule(after nanoseconds: UInt64) -> ConnectionRef {
            let connection = slab.take()
            connection.initialize(to: Connection(.downstream, .open, descriptor: -1))
            wheel.schedule(connection, at: TimerWheelTests.start + nanoseconds)
            return connection
        }

        mutating func expired(after nanoseconds: UInt64) -> Set<ConnectionRef> {
            var all: Set<ConnectionRef> = []
            while let one = wheel.popExpired(now: TimerWheelTests.start + nanoseconds) { all.insert(one) }
            return all
        }
    }

    @Test("a timer fires once, never early, and late by a tick at most", arguments: [1, 10_000_000, 30_000_000_000])
    func fires(nanoseconds: UInt64) {
        var timers = Timers()
        let connection = timers.schedule(after: nanoseconds)
        let early = timers.expired(after: nanoseconds - 1)
        #expect(early.isEmpty)
        let late = timers.expired(after: nanoseconds + (2 << TimerWheel.tickShift))
        #expect(late == [connection])
        let again = timers.expired(after: nanoseconds * 3)
        #expect(again.isEmpty)
    }

    @Test("moved and cancelled timers fire where they went, or not at all")
    func moves() {
        var timers = Timers()
        let (moved, cancelled, kept) = (
            timers.schedule(after: 1000), timers.schedule(after: 1000), timers.schedule(after: 1000)
        )
        timers.wheel.schedule(moved, at: Self.start + 60_000_000_000)
        timers.wheel.cancel(cancelled)
        let first = timers.expired(after: 1_000_000_000)
        #expect(first == [kept])
        let second = timers.expired(after: 61_000_000_000)
        #expect(second == [moved])
    }

    @Test("a wait ends when the next timer is due, whatever round it is in")
    func waits() {
        var timers = Timers()
        #expect(timers.wheel.millisecondsToNext(now: Self.start) == -1)
        _ = timers.schedule(after: 5_000_000_000)
        let wait = timers.wheel.millisecondsToNext(now: Self.start)
        #expect((5000...5010).contains(wait), "\(wait)")
    }

    @Test("after a pause longer than a round everything that is due fires, once")
    func pause() {
        var timers = Timers()
        let all = Set((0..<500).map { timers.schedule(after: UInt64($0) * 100_000_000) })
        let fired = timers.expired(after: 100_000_000_000)
        #expect(fired == all)
    }
}
