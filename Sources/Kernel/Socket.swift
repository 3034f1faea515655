// SPDX-License-Identifier: Apache-2.0

package import Addresses
import CLinux
import Glibc

/// Calls on non-blocking TCP sockets by number, for the hot path: the number of bytes, or a negated errno.
///
/// Would-block is `-EAGAIN`, a value and not an error. `EINTR` is retried here and never seen outside. None allocates.
package enum Socket {
    /// Reads at most `count` bytes; 0 is the end of the stream.
    package static func receive(_ socket: CInt, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
        while true {
            let size = unsafe recv(socket, buffer, count, 0)
            if size >= 0 { return size }
            let code = apus_errno()
            if code != EINTR { return -Int(code) }
        }
    }

    /// Writes at most `count` bytes; never raises SIGPIPE.
    package static func send(_ socket: CInt, _ buffer: UnsafeRawPointer, _ count: Int) -> Int {
        while true {
            let size = unsafe Glibc.send(socket, buffer, count, CInt(MSG_NOSIGNAL))
            if size >= 0 { return size }
            let code = apus_errno()
            if code != EINTR { return -Int(code) }
        }
    }

    /// Moves bytes between a socket and a pipe without copying them (man 2 splice).
    package static func splice(from source: CInt, to sink: CInt, _ count: Int, more: Bool) -> Int {
        while true {
            let size = apus_splice(source, sink, count, more ? 1 : 0)
            if size >= 0 { return size }
            let code = apus_errno()
            if code != EINTR { return -Int(code) }
        }
    }

    /// Takes a connection from a listener's queue: its number, non-blocking and close-on-exec, or a negated errno.
    package static func accept(_ listener: CInt, peer: inout SocketAddress) -> Int {
        while true {
            var storage = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let number = unsafe apus_accept(listener, &storage, &size)
            if number >= 0 {
                peer = address(of: storage)
                return Int(number)
            }
            let code = apus_errno()
            // The queue's first connection died before we took it (man 2 accept): the next one is no worse for it.
            if code != EINTR && code != ECONNABORTED { return -Int(code) }
        }
    }

    /// The socket's own address.
    package static func localAddress(_ socket: CInt) -> SocketAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = unsafe withUnsafeMutablePointer(to: &storage) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(socket, $0, &size)
            }
        }
        return status == 0 ? address(of: storage) : nil
    }

    /// Whether the socket's family is IPv6.
    package static func isIPv6(_ socket: CInt) -> Bool { option(socket, SOL_SOCKET, SO_DOMAIN) == AF_INET6 }

    /// Binds to an address, and to a port if it is not 0. Zero, or a negated errno.
    package static func bind(_ socket: CInt, to address: SocketAddress, ipv6: Bool) -> Int {
        unsafe withSockaddr(address, ipv6: ipv6) { unsafe Glibc.bind(socket, $0, $1) }
    }

    /// Starts connecting. Zero, or a negated errno, of which `-EINPROGRESS` is the usual one.
    package static func connect(_ socket: CInt, to address: SocketAddress, ipv6: Bool) -> Int {
        unsafe withSockaddr(address, ipv6: ipv6) { unsafe Glibc.connect(socket, $0, $1) }
    }

    /// Sends FIN.
    package static func endWriting(_ socket: CInt) { _ = shutdown(socket, CInt(SHUT_WR)) }

    /// Makes the coming `close` send RST and forget what is unsent.
    package static func resetOnClose(_ socket: CInt) {
        var value = linger(l_onoff: 1, l_linger: 0)
        _ = unsafe setsockopt(socket, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }

    /// The error that the kernel holds for the socket, and forgets: `SO_ERROR`.
    package static func pendingError(_ socket: CInt) -> CInt { option(socket, SOL_SOCKET, SO_ERROR) ?? EBADF }

    /// Sets an integer option; false if the kernel refuses.
    @discardableResult
    package static func setOption(_ socket: CInt, _ level: CInt, _ name: CInt, _ value: CInt) -> Bool {
        var value = value
        return unsafe setsockopt(socket, level, name, &value, socklen_t(MemoryLayout<CInt>.size)) == 0
    }

    /// Options that accepted sockets inherit: no Nagle delay, and dead peers are noticed within about 40 s.
    package static func tune(_ socket: CInt) {
        setOption(socket, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
        setOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1)
        setOption(socket, CInt(IPPROTO_TCP), TCP_KEEPIDLE, 10)
        setOption(socket, CInt(IPPROTO_TCP), TCP_KEEPINTVL, 10)
        setOption(socket, CInt(IPPROTO_TCP), TCP_KEEPCNT, 3)
    }

    private static func option(_ socket: CInt, _ level: CInt, _ name: CInt) -> CInt? {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        return unsafe getsockopt(socket, level, name, &value, &size) == 0 ? value : nil
    }

    private static func address(of storage: sockaddr_storage) -> SocketAddress {
        var storage = storage
        return unsafe withUnsafeBytes(of: &storage) { bytes in
            if unsafe CInt(bytes.load(as: sa_family_t.self)) == AF_INET {
                let v4 = unsafe bytes.loadUnaligned(as: sockaddr_in.self)
                return SocketAddress(
                    IPAddress(v4: UInt32(bigEndian: v4.sin_addr.s_addr)), UInt16(bigEndian: v4.sin_port))
            }
            // sockaddr_in6 (man 7 ipv6): family 2, port 2, flow 4, address 16, scope 4.
            let high = unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            let low = unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            let port = unsafe UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
            return SocketAddress(IPAddress(high: high, low: low), port)
        }
    }

    private static func withSockaddr(
        _ address: SocketAddress, ipv6: Bool, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> Int {
        var status: CInt
        if ipv6 {
            var v6 = sockaddr_in6()
            v6.sin6_family = sa_family_t(AF_INET6)
            v6.sin6_port = address.port.bigEndian
            unsafe withUnsafeMutableBytes(of: &v6.sin6_addr) { bytes in
                unsafe bytes.storeBytes(of: address.ip.high.bigEndian, as: UInt64.self)
                unsafe bytes.storeBytes(of: address.ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            status = unsafe withUnsafePointer(to: &v6) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        } else {
            guard let number = address.ip.v4 else { return -Int(EAFNOSUPPORT) }
            var v4 = sockaddr_in()
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = address.port.bigEndian
            v4.sin_addr.s_addr = number.bigEndian
            status = unsafe withUnsafePointer(to: &v4) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        if status < 0 { status = -apus_errno() }
        return Int(status)
    }
}
