// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A process held by a descriptor (man 2 pidfd_open): its number cannot come to mean another process meanwhile.
package struct ProcessHandle: ~Copyable, Sendable {
    package let pid: Int32
    private let descriptor: Descriptor
    private let isChild: Bool

    private init(pid: pid_t, descriptor: consuming Descriptor, isChild: Bool) {
        self.pid = pid
        self.descriptor = descriptor
        self.isChild = isChild
    }

    /// Holds a process that may not be a child of ours. The caller must check, after this and not before, that it is the
    /// one that was meant.
    package static func hold(_ pid: Int32) throws(SystemError) -> ProcessHandle {
        let number = apus_pidfd_open(pid)
        guard number >= 0 else { throw SystemError("pidfd_open", apus_errno()) }
        return ProcessHandle(pid: pid, descriptor: Descriptor(adopting: number), isChild: false)
    }

    /// How a process ended.
    package enum Exit: Equatable, Sendable {
        case code(CInt)
        case signal(CInt)
        /// Not a child of ours: the kernel tells that it ended, not how.
        case unknown
    }

    /// Starts a program with an empty environment except `environment`, standard input from /dev/null, standard output and
    /// error as ours, `passing` as descriptor 3 and no other descriptor. It gets its own process group, so that a Ctrl-C
    /// in the terminal reaches us alone, and default signals.
    package static func spawn(
        _ path: String, arguments: [String], environment: [String] = [], passing descriptor: borrowing Descriptor
    ) throws(SystemError) -> ProcessHandle {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { _ = unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        // Same number or not, the file action clears close-on-exec (glibc 2.29).
        unsafe posix_spawn_file_actions_adddup2(&actions, descriptor.rawValue, 3)
        _ = unsafe apus_spawn_close_from(&actions, 4)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { _ = unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

        var pid: pid_t = 0
        let status = unsafe withCStrings([path] + arguments) { argv in
            unsafe withCStrings(environment) { envp in
                unsafe posix_spawn(&pid, path, &actions, &attributes, argv, envp)
            }
        }
        guard status == 0 else { throw SystemError("posix_spawn", status) }
        // Safe although it goes by number: nobody but us can reap our child.
        let number = apus_pidfd_open(pid)
        guard number >= 0 else {
            let code = apus_errno()
            kill(pid, SIGKILL)
            _ = waitpid(pid, nil, 0)
            throw SystemError("pidfd_open", code)
        }
        return ProcessHandle(pid: pid, descriptor: Descriptor(adopting: number), isChild: true)
    }

    /// Whether it runs no more.
    package borrowing func hasEnded(within milliseconds: CInt = 0) -> Bool {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, milliseconds) == 1
    }

    /// Blocks until the process has ended, and reaps it if it is a child. Call once.
    package borrowing func wait() -> Exit {
        while !hasEnded(within: -1) {}
        guard isChild else { return .unknown }
        var status: CInt = 0
        while unsafe waitpid(pid, &status, 0) < 0 {
            if apus_errno() != EINTR { return .unknown }
        }
        let signal = apus_term_signal(status)
        return signal != 0 ? .signal(signal) : .code(apus_exit_code(status))
    }

    /// Sends a signal; nothing happens if the process has ended.
    package borrowing func send(_ signal: CInt) { _ = apus_pidfd_send_signal(descriptor.rawValue, signal) }
}

private func withCStrings<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = unsafe texts.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
    return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
}
