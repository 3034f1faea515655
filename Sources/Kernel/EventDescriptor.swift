// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A counter that wakes a poller (man 2 eventfd). Any thread may signal it.
package struct EventDescriptor: ~Copyable, Sendable {
    package let descriptor: Descriptor

    package init() throws(SystemError) {
        let number = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        guard number >= 0 else { throw SystemError("eventfd", apus_errno()) }
        descriptor = Descriptor(adopting: number)
    }

    /// Wakes whoever waits.
    package borrowing func signal() {
        var one: UInt64 = 1
        _ = unsafe write(descriptor.rawValue, &one, 8)  // fails only when the counter is full, and then it is awake
    }

    /// Makes it quiet again.
    package borrowing func clear() {
        var count: UInt64 = 0
        _ = unsafe read(descriptor.rawValue, &count, 8)
    }
}
