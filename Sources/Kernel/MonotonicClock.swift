// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Nanoseconds of clocks that never step back (man 2 clock_gettime).
package enum MonotonicClock {
    /// Nanoseconds since some moment before the process began.
    package static func now() -> UInt64 { read(CLOCK_MONOTONIC) }

    /// Processor time that the calling thread has used, in nanoseconds.
    package static func threadTime() -> UInt64 { read(CLOCK_THREAD_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
