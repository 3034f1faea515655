// SPDX-License-Identifier: Apache-2.0

/// An IP address and a TCP port.
package struct SocketAddress: Hashable, Sendable, BitwiseCopyable {
    /// The address; IPv4 in mapped form.
    package let ip: IPAddress
    /// The port in host order.
    package let port: UInt16

    /// An address and a port in host order.
    package init(_ ip: IPAddress, _ port: UInt16) {
        self.ip = ip
        self.port = port
    }
}

extension SocketAddress: LosslessStringConvertible {
    /// Parses `1.2.3.4:80` or `[::1]:80`.
    package init?(_ description: String) {
        guard let colon = description.lastIndex(of: ":"),
            let port = UInt16(description[description.index(after: colon)...])
        else { return nil }
        var host = description[..<colon]
        if host.contains(":") {
            guard host.first == "[", host.last == "]" else { return nil }
            host = host.dropFirst().dropLast()
        }
        guard let ip = IPAddress(host) else { return nil }
        self.init(ip, port)
    }

    /// `1.2.3.4:80`, or `[::1]:80` for IPv6 (RFC 3986 §3.2.2).
    package var description: String { ip.isV4 ? "\(ip):\(port)" : "[\(ip)]:\(port)" }
}
