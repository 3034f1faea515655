// SPDX-License-Identifier: Apache-2.0

/// A block of addresses in CIDR form, `10.244.0.0/16` (RFC 4632, RFC 4291 §2.3).
package struct IPPrefix: Hashable, Sendable, BitwiseCopyable {
    /// The first address; bits beyond ``length`` are zero.
    package let address: IPAddress
    /// How many leading bits of the 128 are fixed: an IPv4 `/16` is stored as 112.
    package let length: UInt8

    /// A block from an address and its number of fixed bits in the address's own family; `nil` if out of range.
    package init?(_ address: IPAddress, length: UInt8) {
        let width: UInt8 = address.isV4 ? 32 : 128
        guard length <= width else { return nil }
        self.length = length + (128 - width)
        let mask = IPPrefix.mask(self.length)
        self.address = IPAddress(high: address.high & mask.high, low: address.low & mask.low)
    }

    /// Whether `ip` lies in the block.
    package func contains(_ ip: IPAddress) -> Bool {
        let mask = IPPrefix.mask(length)
        return ip.high & mask.high == address.high && ip.low & mask.low == address.low
    }

    private static func mask(_ length: UInt8) -> IPAddress {
        // A Swift shift by the full width or more gives zero, which is what both ends of the range need.
        IPAddress(
            high: length == 0 ? 0 : ~UInt64(0) << UInt64(64 - min(Int(length), 64)),
            low: length <= 64 ? 0 : ~UInt64(0) << UInt64(128 - Int(length)))
    }
}

extension IPPrefix: LosslessStringConvertible {
    /// Parses `ADDRESS/LENGTH`; an address alone is a block of one.
    package init?(_ description: String) {
        let parts = description.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let ip = IPAddress(first), parts.count <= 2 else { return nil }
        guard parts.count == 2 else {
            self.init(ip, length: ip.isV4 ? 32 : 128)
            return
        }
        guard let length = UInt8(parts[1]) else { return nil }
        self.init(ip, length: length)
    }

    /// `10.244.0.0/16`
    package var description: String { "\(address)/\(address.isV4 && length >= 96 ? length - 96 : length)" }
}
