// SPDX-License-Identifier: Apache-2.0

/// An IPv4 or IPv6 address as 128 bits, IPv4 in its mapped form `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2).
///
/// One form for both families, so that a dual-stack listener's view and a configuration file's view of the same peer
/// are equal, and so that a table lookup is two integer comparisons.
package struct IPAddress: Hashable, Sendable, BitwiseCopyable {
    /// The first 8 bytes as a number in host order: the first byte of the address is the most significant.
    package let high: UInt64
    /// The last 8 bytes, likewise.
    package let low: UInt64

    /// An address from its two halves, each in host order.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// An IPv4 address from its 32 bits in host order (`127.0.0.1` is `0x7f000001`).
    package init(v4: UInt32) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(v4))
    }

    /// `0.0.0.0`
    package static let anyV4 = IPAddress(v4: 0)
    /// `::`
    package static let anyV6 = IPAddress(high: 0, low: 0)
    /// `127.0.0.1`
    package static let loopbackV4 = IPAddress(v4: 0x7f00_0001)
    /// `::1`
    package static let loopbackV6 = IPAddress(high: 0, low: 1)

    /// Whether this is an IPv4 address.
    package var isV4: Bool { high == 0 && low >> 32 == 0xffff }

    /// The IPv4 address in host order, or `nil` for IPv6.
    package var v4: UInt32? { isV4 ? UInt32(truncatingIfNeeded: low) : nil }

    /// Whether packets to it never leave the network namespace: 127.0.0.0/8 and ::1.
    package var isLoopback: Bool { isV4 ? (low >> 24) & 0xff == 127 : self == .loopbackV6 }
}

extension IPAddress: Comparable {
    package static func < (left: IPAddress, right: IPAddress) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}
