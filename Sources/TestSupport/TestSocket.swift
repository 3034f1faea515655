// SPDX-License-Identifier: Apache-2.0

package import Addresses
import Glibc

/// A blocking TCP socket whose every call gives up after a deadline: a test fails, it does not hang.
package final class TestSocket: @unchecked Sendable {
    package let descriptor: CInt
    private let isV6: Bool

    /// A call that failed. `code` is errno; EAGAIN means that the deadline has passed.
    package struct Failed: Error, Equatable, CustomStringConvertible {
        package let call: String
        package let code: CInt

        package init(call: String, code: CInt) {
            self.call = call
            self.code = code
        }

        package var description: String { "\(call): \(String(cString: strerror(code))) (\(code))" }
    }

    /// A new socket in the calling thread's namespace.
    package init(ipv6: Bool = false, seconds: Int = 5) throws {
        descriptor = socket(ipv6 ? AF_INET6 : AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        isV6 = ipv6
        guard descriptor >= 0 else { throw Failed(call: "socket", code: errno) }
        setDeadline(seconds)
    }

    /// Takes over a descriptor, non-blocking or not.
    package init(adopting descriptor: CInt, seconds: Int = 5) {
        self.descriptor = descriptor
        var family: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size)
        isV6 = family == AF_INET6
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        setDeadline(seconds)
    }

    deinit { close(descriptor) }

    private func setDeadline(_ seconds: Int) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    package func set(_ level: CInt, _ option: CInt, _ value: CInt) throws {
        var value = value
        try check("setsockopt", setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size)))
    }

    package func set(_ level: CInt, _ option: CInt, bytes: [UInt8]) throws {
        try check("setsockopt", setsockopt(descriptor, level, option, bytes, socklen_t(bytes.count)))
    }

    package func get(_ level: CInt, _ option: CInt) throws -> CInt {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        try check("getsockopt", getsockopt(descriptor, level, option, &value, &size))
        return value
    }

    package func bind(_ address: SocketAddress) throws {
        var name = rawName(address)
        try check("bind", name.withSockaddr { Glibc.bind(descriptor, $0, $1) })
    }

    package func connect(_ address: SocketAddress) throws {
        var name = rawName(address)
        try check("connect", name.withSockaddr { Glibc.connect(descriptor, $0, $1) })
    }

    /// `sendto` with MSG_FASTOPEN: connects and sends in one.
    package func sendFastOpen(_ text: String, to address: SocketAddress) throws {
        var name = rawName(address)
        let bytes = Array(text.utf8)
        let sent = name.withSockaddr { sendto(descriptor, bytes, bytes.count, 0x2000_0000 /* MSG_FASTOPEN */, $0, $1) }
        try check("sendto", sent == bytes.count ? 0 : -1)
    }

    package func listen(_ backlog: CInt = 128) throws { try check("listen", Glibc.listen(descriptor, backlog)) }

    /// The accepted socket and the peer as accept() told it.
    package func accept() throws -> (socket: TestSocket, peer: SocketAddress) {
        var name = RawName()
        let number = name.receive { Glibc.accept(descriptor, $0, &$1) }
        try check("accept", number)
        return (TestSocket(adopting: number), name.address)
    }

    package var localAddress: SocketAddress {
        var name = RawName()
        _ = name.receive { getsockname(descriptor, $0, &$1) }
        return name.address
    }

    package var peerAddress: SocketAddress {
        var name = RawName()
        _ = name.receive { getpeername(descriptor, $0, &$1) }
        return name.address
    }

    package func write(_ text: String) throws {
        let bytes = Array(text.utf8)
        try check("send", send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count ? 0 : -1)
    }

    /// At most `count` bytes; empty at the end of the stream.
    package func read(_ count: Int = 4096) throws -> String {
        var bytes = [UInt8](repeating: 0, count: count)
        let size = recv(descriptor, &bytes, count, 0)
        try check("recv", CInt(clamping: size))
        return String(decoding: bytes[..<size], as: UTF8.self)
    }

    package func shutdownWriting() throws { try check("shutdown", shutdown(descriptor, CInt(SHUT_WR))) }

    private func check(_ call: String, _ status: CInt) throws {
        if status < 0 { throw Failed(call: call, code: errno) }
    }

    private func rawName(_ address: SocketAddress) -> RawName { RawName(address, isV6: isV6) }
}

/// A sockaddr of either family.
private struct RawName {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)

    init() {}

    init(_ address: SocketAddress, isV6: Bool) {
        if isV6 {
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = address.port.bigEndian
            withUnsafeMutableBytes(of: &name.sin6_addr) {
                $0.storeBytes(of: address.ip.high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: address.ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            withUnsafeMutableBytes(of: &storage) { storage in
                withUnsafeBytes(of: name) { storage.copyMemory(from: $0) }
            }
            size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        } else {
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = address.port.bigEndian
            name.sin_addr.s_addr = (address.ip.v4 ?? 0).bigEndian
            withUnsafeMutableBytes(of: &storage) { storage in
                withUnsafeBytes(of: name) { storage.copyMemory(from: $0) }
            }
            size = socklen_t(MemoryLayout<sockaddr_in>.size)
        }
    }

    mutating func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        let size = size
        return withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
        }
    }

    mutating func receive(_ body: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> CInt) -> CInt {
        var size = size
        return withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &size) }
        }
    }

    var address: SocketAddress {
        withUnsafeBytes(of: storage) { bytes in
            let port = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
            if storage.ss_family == sa_family_t(AF_INET6) {
                return SocketAddress(
                    IPAddress(
                        high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                        low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))), port)
            }
            return SocketAddress(
                IPAddress(v4: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))), port)
        }
    }
}
