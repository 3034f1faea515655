// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Unix sockets that keep the borders between messages (man 7 unix, `SOCK_SEQPACKET`), named by a path.
package enum Seqpacket {
    /// A listening socket at `path`, which must not exist; only its owner may connect (mode 0600).
    package static func listen(path: String, backlog: CInt = 8) throws(SystemError) -> Descriptor {
        let socket = try make()
        // Linux takes the new file's mode from the socket's inode, so that there is no moment in which others may connect.
        guard fchmod(socket.rawValue, 0o600) == 0 else { throw SystemError("fchmod", apus_errno()) }
        try unsafe withAddress(path) { address, size throws(SystemError) in
            guard unsafe Glibc.bind(socket.rawValue, address, size) == 0 else {
                throw SystemError("bind", apus_errno())
            }
        }
        guard Glibc.listen(socket.rawValue, backlog) == 0 else { throw SystemError("listen", apus_errno()) }
        return socket
    }

    /// A blocking connection to the listening socket at `path`. A message that cannot be sent for `sendTimeout` seconds
    /// because the other end does not read fails with would-block.
    package static func connect(path: String, sendTimeout: Int) throws(SystemError) -> Descriptor {
        let socket = try make()
        var timeout = timeval(tv_sec: sendTimeout, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        guard unsafe setsockopt(socket.rawValue, SOL_SOCKET, SO_SNDTIMEO, &timeout, size) == 0 else {
            throw SystemError("setsockopt", apus_errno())
        }
        try unsafe withAddress(path) { address, size throws(SystemError) in
            guard unsafe Glibc.connect(socket.rawValue, address, size) == 0 else {
                throw SystemError("connect", apus_errno())
            }
        }
        return socket
    }

    /// Two connected ends, for tests.
    package struct Pair: ~Copyable {
        package let one, other: Descriptor
    }

    /// A connected pair, for tests.
    package static func pair() throws(SystemError) -> Pair {
        var numbers: (CInt, CInt) = (-1, -1)
        let status = unsafe withUnsafeMutableBytes(of: &numbers) {
            unsafe socketpair(
                AF_UNIX, CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0,
                $0.baseAddress!.assumingMemoryBound(to: CInt.self))
        }
        guard status == 0 else { throw SystemError("socketpair", apus_errno()) }
        return Pair(one: Descriptor(adopting: numbers.0), other: Descriptor(adopting: numbers.1))
    }

    /// Ends both directions: a thread that reads from the socket sees the end of the file.
    package static func end(_ socket: borrowing Descriptor) { _ = shutdown(socket.rawValue, CInt(SHUT_RDWR)) }

    private static func make() throws(SystemError) -> Descriptor {
        let number = socket(AF_UNIX, CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError("socket", apus_errno()) }
        return Descriptor(adopting: number)
    }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
    ) throws(SystemError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        // One byte stays for the terminating zero.
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemError("bind", ENAMETOOLONG)
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        var failure: SystemError?
        unsafe withUnsafeBytes(of: &address) { raw in
            do throws(SystemError) {
                try unsafe body(
                    raw.baseAddress!.assumingMemoryBound(to: sockaddr.self),
                    socklen_t(MemoryLayout<sockaddr_un>.size))
            } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
