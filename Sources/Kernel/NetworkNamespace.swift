// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A network namespace, kept alive by an open descriptor of its `/proc/PID/ns/net` or `/run/netns/NAME` file (man 7
/// network_namespaces).
package struct NetworkNamespace: ~Copyable, Sendable {
    /// The open file; borrow it for `setns` and for `bpf_program__attach_netns`.
    package let descriptor: Descriptor

    /// Opens the namespace that `path` names.
    package init(path: String) throws(SystemError) {
        let number = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open", apus_errno()) }
        descriptor = Descriptor(adopting: number)
    }

    /// The namespace of the calling thread.
    package static func current() throws(SystemError) -> NetworkNamespace {
        try NetworkNamespace(path: "/proc/thread-self/ns/net")
    }

    /// The inode number that identifies the namespace while it lives.
    package borrowing func inode() throws(SystemError) -> UInt64 {
        var status = stat()
        guard unsafe fstat(descriptor.rawValue, &status) == 0 else { throw SystemError("fstat", apus_errno()) }
        return UInt64(status.st_ino)
    }

    /// The kernel's cookie for the namespace (`SO_NETNS_COOKIE`, Linux 5.14): unique for the machine's uptime.
    package borrowing func cookie() throws -> UInt64 {
        try run {
            let socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
            guard socket >= 0 else { throw SystemError("socket", apus_errno()) }
            defer { close(socket) }
            var cookie: UInt64 = 0
            var size = socklen_t(MemoryLayout<UInt64>.size)
            let netnsCookie: CInt = 71  // SO_NETNS_COOKIE of asm-generic/socket.h; older glibc headers lack it
            guard unsafe getsockopt(socket, SOL_SOCKET, netnsCookie, &cookie, &size) == 0 else {
                throw SystemError("getsockopt", apus_errno())
            }
            return cookie
        }
    }

    /// Runs `body` with the calling thread inside the namespace, and brings the thread back.
    ///
    /// `body` must not suspend or hand work to another thread. If the way back fails, the process ends: a thread that is
    /// in a stranger's namespace without knowing it is worse than a restart.
    package borrowing func run<Result: ~Copyable>(_ body: () throws -> Result) throws -> Result {
        let home = try NetworkNamespace.current()
        guard apus_enter_network_namespace(descriptor.rawValue) == 0 else { throw SystemError("setns", apus_errno()) }
        defer {
            guard apus_enter_network_namespace(home.descriptor.rawValue) == 0 else {
                fatalError("cannot return to the network namespace this thread came from: errno \(apus_errno())")
            }
        }
        return try body()
    }
}
