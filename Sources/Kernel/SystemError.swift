// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A system call that failed, and the kernel's word for it.
package struct SystemError: Error, Hashable {
    /// The call, as its manual page is named.
    package let call: StaticName
    /// The value of `errno` right after the call.
    package let errno: CInt

    /// An error for `call` with an errno that the caller has just read.
    package init(_ call: StaticName, _ errno: CInt) {
        self.call = call
        self.errno = errno
    }

    /// A name known at compile time: comparing and hashing it costs no allocation.
    package struct StaticName: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
        private let text: StaticString

        package init(stringLiteral value: StaticString) { text = value }

        package var description: String { text.description }

        package static func == (left: Self, right: Self) -> Bool { left.description == right.description }

        package func hash(into hasher: inout Hasher) { hasher.combine(description) }
    }
}

extension SystemError: CustomStringConvertible {
    /// `connect: Connection refused (111)`
    package var description: String {
        let reason = unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "unknown error"
        return "\(call): \(reason) (\(errno))"
    }
}
