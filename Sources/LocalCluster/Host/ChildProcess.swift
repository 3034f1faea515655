// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Glibc

/// A process that we started and must wait for.
///
/// `posix_spawn` instead of Foundation's `Process`: that one notices the end of a child by a socket which grandchildren
/// inherit, so it waits for them too.
package struct ChildProcess: Sendable {
    package let pid: pid_t

    /// How a process ended.
    package enum Exit: Hashable, Sendable, CustomStringConvertible {
        case code(Int32)
        case signal(Int32)

        package var description: String {
            switch self {
            case .code(let code): "exit code \(code)"
            case .signal(let signal): "signal \(signal)"
            }
        }
    }

    /// Starts `arguments` with exactly the environment and descriptors given (all of ours are close-on-exec).
    /// The child leads its own session, so that Ctrl-C at our terminal is for us to answer.
    /// - Parameter arguments: the program first; without a slash it is looked up in our own PATH.
    package static func start(
        _ arguments: [String], environment: [String: String] = ProcessInfo.processInfo.environment,
        input: CInt? = nil, output: CInt? = nil, errors: CInt? = nil, newSession: Bool = true
    ) throws(ClusterError) -> ChildProcess {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, source) in [(CInt(0), input), (1, output), (2, errors)] {
            if let source {
                posix_spawn_file_actions_adddup2(&actions, source, target)
            } else {
                posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0)
            }
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // We ignore TERM and INT to read them from a source; a child must not inherit that.
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        let session: Int32 = newSession ? 0x80 : 0  // POSIX_SPAWN_SETSID, which needs _GNU_SOURCE
        posix_spawnattr_setflags(
            &attributes, Int16(Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK) | session))

        var argv = arguments.map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, arguments[0], &actions, &attributes, &argv, &envp)
        guard code == 0 else {
            throw ClusterError("cannot start \(arguments[0]): \(String(cString: strerror(code)))")
        }
        return ChildProcess(pid: pid)
    }

    /// Waits for the end, blocking the thread.
    package func wait() -> Exit {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? .code(status >> 8 & 0xff) : .signal(signal)
    }

    /// Waits for the end on a thread of its own. Call once.
    package func exit() async -> Exit {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: wait()) }
        }
    }
}
