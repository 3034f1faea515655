// SPDX-License-Identifier: Apache-2.0

/// A netlink request under construction: header, family's own header, attributes (man 7 netlink).
///
/// Written by hand in Swift, since the kernel's structures and macros are not in the Glibc module. Numbers are in the
/// processor's order unless an attribute says otherwise.
struct NetlinkMessage {
    private(set) var bytes: [UInt8]

    /// Bits of `nlmsg_flags`, include/uapi/linux/netlink.h.
    struct Flags: OptionSet {
        let rawValue: UInt16
        static let request = Flags(rawValue: 0x1)
        static let acknowledge = Flags(rawValue: 0x4)
        static let replace = Flags(rawValue: 0x100)
        static let exclusive = Flags(rawValue: 0x200)
        static let create = Flags(rawValue: 0x400)
        static let dump = Flags(rawValue: 0x300)
    }

    /// `struct nlmsghdr`
    static let headerSize = 16

    init(type: UInt16, flags: Flags) {
        bytes = []
        append(UInt32(0))  // the length, known when it is sent
        append(type)
        append(flags.union(.request).rawValue)
        append(UInt32(0))  // the sequence number
        append(UInt32(0))  // the kernel fills in our port
    }

    mutating func append(_ value: some FixedWidthInteger) {
        var rest = value.littleEndian
        for _ in 0..<(value.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// `struct rtattr` and its value, padded to 4 bytes.
    mutating func attribute(_ type: UInt16, _ value: [UInt8]) {
        append(UInt16(4 + value.count))
        append(type)
        bytes += value
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    mutating func attribute(_ type: UInt16, _ value: UInt32) {
        attribute(type, (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) })
    }

    /// The finished bytes.
    func sealed(sequence: UInt32) -> [UInt8] {
        var result = bytes
        for index in 0..<4 {
            result[index] = UInt8(truncatingIfNeeded: UInt32(bytes.count) >> UInt32(8 * index))
            result[8 + index] = UInt8(truncatingIfNeeded: sequence >> UInt32(8 * index))
        }
        return result
    }
}

/// Numbers in a reply. Little-endian machines only, like everything this project runs on.
extension ArraySlice<UInt8> {
    func number<Number: FixedWidthInteger>(at offset: Int, _: Number.Type) -> Number {
        var value: Number = 0
        for index in 0..<(Number.bitWidth / 8) {
            value |= Number(self[startIndex + offset + index]) << Number(8 * index)
        }
        return value
    }

    /// The attributes from `offset` on: type and value.
    func attributes(from offset: Int) -> [(type: UInt16, value: ArraySlice<UInt8>)] {
        var found: [(UInt16, ArraySlice<UInt8>)] = []
        var at = startIndex + offset
        while at + 4 <= endIndex {
            let length = Int(self[at...].number(at: 0, UInt16.self))
            guard length >= 4, at + length <= endIndex else { break }
            found.append((self[at...].number(at: 2, UInt16.self), self[(at + 4)..<(at + length)]))
            at += (length + 3) & ~3
        }
        return found
    }
}
