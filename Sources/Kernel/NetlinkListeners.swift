// SPDX-License-Identifier: Apache-2.0

/// A TCP socket that listens, as the kernel lists it.
package struct ListeningSocket: Hashable, Sendable {
    /// The kernel's number for the socket, never used again (`SO_COOKIE`).
    package let cookie: UInt64
    package let port: UInt16
}

extension Netlink {
    /// Every listening TCP socket of the namespace, both families (man 7 sock_diag).
    package mutating func listeners() throws(SystemError) -> [ListeningSocket] {
        var found: [ListeningSocket] = []
        for family: UInt8 in [2, 10] {  // AF_INET, AF_INET6
            var message = NetlinkMessage(type: 20, flags: .dump)  // SOCK_DIAG_BY_FAMILY
            message.append(family)  // struct inet_diag_req_v2
            message.append(UInt8(6))  // IPPROTO_TCP
            message.append(UInt16(0))
            message.append(UInt32(1 << 10))  // TCP_LISTEN only
            for _ in 0..<48 { message.append(UInt8(0)) }  // struct inet_diag_sockid: any
            try dump(message) { _, payload in
                // struct inet_diag_msg: 4 bytes, then the id with the port first and the cookie last.
                guard payload.count >= 52 else { return }
                let port = payload.number(at: 4, UInt16.self).byteSwapped
                found.append(ListeningSocket(cookie: payload.number(at: 44, UInt64.self), port: port))
            }
        }
        return found
    }
}
