// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A netlink socket (man 7 netlink). It speaks for the network namespace in which it was opened, whoever uses it later.
package struct Netlink: ~Copyable {
    private let socket: Descriptor
    private var sequence: UInt32 = 0

    /// Which part of the kernel answers.
    package enum Family: CInt, Sendable {
        case route = 0  // NETLINK_ROUTE
        case socketDiagnostics = 4  // NETLINK_SOCK_DIAG
    }

    /// Opens a socket in the calling thread's namespace.
    package init(_ family: Family) throws(SystemError) {
        let number = Glibc.socket(
            16 /* AF_NETLINK */, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), family.rawValue)
        guard number >= 0 else { throw SystemError("socket", apus_errno()) }
        socket = Descriptor(adopting: number)
    }

    /// Sends a request and waits for the kernel's verdict, which is immediate.
    mutating func perform(_ message: NetlinkMessage) throws(SystemError) {
        try send(message)
        try receive { _, _ in }
    }

    /// Sends a dump request and hands each answer's type and payload to `body`.
    mutating func dump(_ message: NetlinkMessage, _ body: (UInt16, ArraySlice<UInt8>) -> Void) throws(SystemError) {
        try send(message)
        try receive(body)
    }

    private mutating func send(_ message: NetlinkMessage) throws(SystemError) {
        sequence += 1
        let bytes = message.sealed(sequence: sequence)
        let sent = unsafe bytes.withUnsafeBytes { unsafe Glibc.send(socket.rawValue, $0.baseAddress, $0.count, 0) }
        guard sent == bytes.count else { throw SystemError("netlink send", apus_errno()) }
    }

    /// Reads until the kernel says that it is done (NLMSG_DONE) or how it ended (NLMSG_ERROR, 0 is success).
    private func receive(_ body: (UInt16, ArraySlice<UInt8>) -> Void) throws(SystemError) {
        // The kernel's own choice for a dump is at most 32 KiB a message; a shorter buffer would cut it.
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let size = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(socket.rawValue, $0.baseAddress, $0.count, 0)
            }
            if size < 0 && apus_errno() == EINTR { continue }
            guard size > 0 else { throw SystemError("netlink receive", size < 0 ? apus_errno() : EIO) }
            var rest = buffer[0..<size]
            while rest.count >= NetlinkMessage.headerSize {
                let length = Int(rest.number(at: 0, UInt32.self))
                let type = rest.number(at: 4, UInt16.self)
                guard length >= NetlinkMessage.headerSize, length <= rest.count else {
                    throw SystemError("netlink receive", EBADMSG)
                }
                let payload = rest[(rest.startIndex + NetlinkMessage.headerSize)..<(rest.startIndex + length)]
                // A stale answer belongs to a request whose error we have already reported.
                if rest.number(at: 8, UInt32.self) == sequence {
                    switch type {
                    case 2:  // NLMSG_ERROR
                        let code = payload.number(at: 0, Int32.self)
                        if code != 0 { throw SystemError("netlink", -code) }
                        return
                    case 3: return  // NLMSG_DONE
                    default: body(type, payload)
                    }
                }
                rest = rest.dropFirst((length + 3) & ~3)
            }
        }
    }
}
