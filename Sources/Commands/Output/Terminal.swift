// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Synchronization

/// Standard output and error, with lines that replace each other where somebody is looking.
final class Terminal: Sendable {
    static let shared = Terminal()

    private let isInteractive = isatty(STDERR_FILENO) == 1
    /// How many columns of a line that will be replaced are on the screen.
    private let transient = Mutex(0)

    private init() {}

    /// A result, on standard output.
    func print(_ text: String) {
        clear()
        Terminal.write(text + "\n", to: STDOUT_FILENO)
    }

    /// A remark, on standard error.
    func note(_ text: String) {
        clear()
        Terminal.write(text + "\n", to: STDERR_FILENO)
    }

    /// What is happening right now: in a terminal it replaces the line before, elsewhere it is left out.
    func transient(_ text: String) {
        guard isInteractive else { return }
        transient.withLock { columns in
            let padding = String(repeating: " ", count: max(0, columns - text.count))
            Terminal.write("\r\(text)\(padding)", to: STDERR_FILENO)
            columns = text.count
        }
    }

    private func clear() {
        transient.withLock { columns in
            guard columns > 0 else { return }
            Terminal.write("\r\(String(repeating: " ", count: columns))\r", to: STDERR_FILENO)
            columns = 0
        }
    }

    /// Writes all of it. A reader that has gone (`apus tap | head`) ends the program quietly, as SIGPIPE would.
    private static func write(_ text: String, to descriptor: CInt) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EPIPE && descriptor == STDOUT_FILENO { exit(0) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
