// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// Bounds what costs a peer little and us more: a bucket of tokens that fills with time.
    ///
    /// Whoever empties it is told ENHANCE_YOUR_CALM (RFC 9113 §10.5). Times are nanoseconds of any monotonic clock.
    package struct Budget: Hashable, Sendable, BitwiseCopyable {
        private let capacity: Int32
        private let perSecond: UInt64
        private var tokens: Int32
        private var filled: UInt64 = 0

        /// `capacity` at once, and `perSecond` for ever.
        package init(capacity: Int32, perSecond: UInt64) {
            self.capacity = capacity
            self.perSecond = perSecond
            tokens = capacity
        }

        /// Takes `cost` tokens; false if they are not there.
        package mutating func spend(_ cost: Int32 = 1, now: UInt64) -> Bool {
            if tokens >= cost {
                tokens &-= cost
                return true
            }
            // Only an empty bucket needs to know what time has brought.
            let elapsed = Swift.min(now &- filled, 10_000_000_000)
            let earned = Int32(truncatingIfNeeded: elapsed &* perSecond / 1_000_000_000)
            tokens = Swift.min(capacity, tokens &+ earned)
            filled = now
            guard tokens >= cost else { return false }
            tokens &-= cost
            return true
        }
    }
}
