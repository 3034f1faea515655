// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// An open file descriptor with exactly one owner; it is closed when the owner goes away.
///
/// It cannot be copied, so a double close does not compile. Use it by `borrowing`, hand it on by `consuming`, share it
/// with ``duplicate()``. May be sent between threads, not used from two at once.
package struct Descriptor: ~Copyable, Sendable {
    /// The number. Valid only while `self` is alive.
    package let rawValue: CInt

    /// Takes ownership of a number that the kernel has just returned.
    package init(adopting rawValue: CInt) {
        precondition(rawValue >= 0, "negative descriptor")
        self.rawValue = rawValue
    }

    deinit {
        // Linux frees the number even when close fails, EINTR included (man 2 close): never retry.
        _ = Glibc.close(rawValue)
    }

    /// A second descriptor for the same open file, close-on-exec.
    package borrowing func duplicate() throws(SystemError) -> Descriptor {
        try Descriptor(duplicating: rawValue)
    }

    /// A second descriptor for a file that somebody else has open, close-on-exec; `number` stays theirs.
    package init(duplicating number: CInt) throws(SystemError) {
        let number = apus_fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard number >= 0 else { throw SystemError("fcntl", apus_errno()) }
        self.init(adopting: number)
    }

    /// Gives the number to a caller that closes it itself.
    package consuming func release() -> CInt {
        let number = rawValue
        discard self
        return number
    }
}
