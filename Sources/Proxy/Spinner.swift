// SPDX-License-Identifier: Apache-2.0

/// Decides whether to look again before sleeping: only while sleeps are short, and for a bounded share of the time.
struct Spinner: BitwiseCopyable {
    /// Average length of a sleep, in nanoseconds.
    private var averageSleep: UInt64 = 10_000_000
    /// Nanoseconds that may still be spent spinning; earned by time going by.
    private var budget: Int64 = 0
    private var budgetTime: UInt64 = 0

    /// The most that can be saved up, in nanoseconds: 5 ms.
    private static let largestBudget: Int64 = 5_000_000

    /// Events per turn, averaged, in 256ths.
    private var averageEvents: UInt64 = 256

    /// With several connections busy at a time, waits end soon by themselves and spinning only burns time.
    var isWorthwhile: Bool { averageSleep < Limits.spinWorthwhile && budget > 0 && averageEvents < Limits.spinEvents }

    /// A turn found so many events.
    mutating func found(_ events: Int) { averageEvents = (averageEvents &* 15 &+ UInt64(min(events, 64)) &* 256) / 16 }

    /// A sleep of so many nanoseconds has ended.
    mutating func slept(_ nanoseconds: UInt64, until now: UInt64) {
        average(nanoseconds)
        earn(now)
    }

    /// A spin has ended. One that found nothing counts as a long wait, so that a worker with little to do soon stops.
    mutating func span(_ nanoseconds: UInt64, found: Bool, at now: UInt64) {
        budget -= Int64(nanoseconds)
        average(found ? nanoseconds : nanoseconds &* 4)
        earn(now)
    }

    private mutating func average(_ nanoseconds: UInt64) {
        averageSleep = (averageSleep &* 7 &+ min(nanoseconds, 10_000_000)) / 8
    }

    private mutating func earn(_ now: UInt64) {
        let elapsed = min(now &- budgetTime, 1_000_000_000)
        budgetTime = now
        budget = min(budget + Int64(elapsed &* Limits.spinShare / 256), Spinner.largestBudget)
    }
}
