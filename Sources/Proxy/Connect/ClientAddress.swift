// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc

/// Tells our BPF programs for whom a connection stands, so that the application sees its real peer.
///
/// A private socket option (`bpf/abi/include/apus.h`); the numbers are a wire format and stand there with their reason.
enum ClientAddress {
    private static let level: CInt = 0x4150
    private static let name: CInt = 1

    /// Must come before `connect`. Outside a real pod (in unit tests) the kernel does not know the option: no harm.
    static func set(on socket: CInt, to client: SocketAddress) {
        // 16 bytes of address and 2 of port in network order, 2 of padding.
        var value = (client.ip.high.bigEndian, client.ip.low.bigEndian, client.port.bigEndian, UInt16(0))
        _ = setsockopt(socket, level, name, &value, 20)
    }
}
