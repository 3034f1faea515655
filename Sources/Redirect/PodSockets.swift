// SPDX-License-Identifier: Apache-2.0

import CApusABI
import Glibc
import Kernel

/// Makes the sockets that live in a pod's namespace. Call inside ``NetworkNamespace/run(_:)`` of that pod.
enum PodSockets {
    private static let backlog: CInt = 4096

    /// A bound listener, not listening yet: it must be tagged first, or the first accepted socket has no tag.
    ///
    /// For both families; for IPv4 alone where the kernel has no IPv6.
    static func makeListener(port: UInt16) throws(SystemError) -> Descriptor {
        var number = socket(AF_INET6, streamType, 0)
        let dualStack = number >= 0
        if !dualStack { number = socket(AF_INET, streamType, 0) }
        guard number >= 0 else { throw SystemError("socket", errno) }
        let made = Descriptor(adopting: number)
        try set(made, SOL_SOCKET, SO_REUSEADDR, 1)
        // Its answers have a foreign source, the destination that the pod dialled.
        try set(made, ipLevel, IP_TRANSPARENT, 1)
        try set(made, SOL_SOCKET, SO_MARK, CInt(bitPattern: UInt32(APUS_MARK_BYPASS)))
        if dualStack {
            // Not ::1 and not v6only: the kernel would refuse to assign an IPv4 SYN to it.
            try set(made, ipv6Level, IPV6_V6ONLY, 0)
            try set(made, ipv6Level, IPV6_TRANSPARENT, 1)
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            try bind(made, name)
        } else {
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            try bind(made, name)
        }
        return made
    }

    /// Whether a listener of ours takes IPv6 connections too.
    static func isDualStack(_ listener: borrowing Descriptor) -> Bool {
        option(listener, SO_DOMAIN) == AF_INET6
    }

    /// Whether the descriptor is a socket that listens.
    static func isListening(_ socket: borrowing Descriptor) -> Bool { option(socket, SO_ACCEPTCONN) == 1 }

    static func startListening(_ listener: borrowing Descriptor) throws(SystemError) {
        guard listen(listener.rawValue, backlog) == 0 else { throw SystemError("listen", errno) }
    }

    /// Our own descriptor for a socket that another holds.
    static func duplicate(_ number: CInt) throws(SystemError) -> Descriptor {
        let own = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard own >= 0 else { throw SystemError("fcntl", errno) }
        return Descriptor(adopting: own)
    }

    /// A socket for the proxy to bind and connect.
    static func makeUpstream(ipv6: Bool) throws(SystemError) -> Descriptor {
        let number = socket(ipv6 ? AF_INET6 : AF_INET, streamType, 0)
        guard number >= 0 else { throw SystemError("socket", errno) }
        let made = Descriptor(adopting: number)
        try set(made, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
        // The proxy binds an address with port 0; the port is then chosen at connect(), by the whole 4-tuple.
        try set(made, ipLevel, IP_BIND_ADDRESS_NO_PORT, 1)
        if ipv6 { try set(made, ipv6Level, IPV6_V6ONLY, 0) }
        return made
    }

    private static let streamType =
        CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    private static let ipLevel = CInt(IPPROTO_IP)
    private static let ipv6Level = CInt(IPPROTO_IPV6)
    private static let IPV6_TRANSPARENT: CInt = 75  // include/uapi/linux/in6.h; not in glibc's headers for Swift

    private static func option(_ socket: borrowing Descriptor, _ option: CInt) -> CInt {
        var value: CInt = -1
        var size = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(socket.rawValue, SOL_SOCKET, option, &value, &size) == 0 ? value : -1
    }

    private static func set(
        _ socket: borrowing Descriptor, _ level: CInt, _ option: CInt, _ value: CInt
    ) throws(SystemError) {
        var value = value
        guard setsockopt(socket.rawValue, level, option, &value, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
            throw SystemError("setsockopt", errno)
        }
    }

    private static func bind<Name>(_ socket: borrowing Descriptor, _ name: Name) throws(SystemError) {
        let status = withUnsafePointer(to: name) { name in
            name.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(socket.rawValue, $0, socklen_t(MemoryLayout<Name>.size))
            }
        }
        guard status == 0 else { throw SystemError("bind", errno) }
    }
}
