// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// Makes sure that one agent at a time has a run directory: two would take the proxy from each other for ever.
///
/// The kernel lets go of the lock when the process ends, however it ends (man 2 flock).
final class AgentLock: Sendable {
    private let number: CInt

    init(directory: String) throws {
        let path = "\(directory)/agent.lock"
        number = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else {
            throw Agent.Refusal(description: "\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            let holder = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            close(number)
            throw Agent.Refusal(description: "another agent (process \(holder)) has \(directory); stop it first")
        }
        ftruncate(number, 0)
        let text = "\(getpid())"
        _ = text.withCString { write(number, $0, strlen($0)) }
    }

    deinit { close(number) }
}
