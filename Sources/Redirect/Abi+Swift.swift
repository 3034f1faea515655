// SPDX-License-Identifier: Apache-2.0

import Addresses
import CApusABI

extension apus_ip {
    init(_ ip: IPAddress) {
        self.init(
            word_be: (
                UInt32(truncatingIfNeeded: ip.high >> 32).bigEndian, UInt32(truncatingIfNeeded: ip.high).bigEndian,
                UInt32(truncatingIfNeeded: ip.low >> 32).bigEndian, UInt32(truncatingIfNeeded: ip.low).bigEndian
            ))
    }

    var address: IPAddress {
        IPAddress(
            high: UInt64(UInt32(bigEndian: word_be.0)) << 32 | UInt64(UInt32(bigEndian: word_be.1)),
            low: UInt64(UInt32(bigEndian: word_be.2)) << 32 | UInt64(UInt32(bigEndian: word_be.3)))
    }
}

extension apus_slot {
    /// Both texts must have been checked to fit with their final zero.
    init(cookie: UInt64, flags: UInt32, uid: String, path: String) {
        self.init()
        netns_cookie = cookie
        self.flags = flags
        withUnsafeMutableBytes(of: &self.uid) { $0.copyBytes(from: uid.utf8) }
        withUnsafeMutableBytes(of: &netns_path) { $0.copyBytes(from: path.utf8) }
    }

    var uidText: String { withUnsafeBytes(of: uid) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
    var pathText: String { withUnsafeBytes(of: netns_path) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
    var isTaken: Bool { flags & UInt32(APUS_ENROLLED) != 0 }
}

extension apus_exempt {
    /// The fewest prefixes that cover exactly `range` for the slot and direction; at most 30.
    static func covering(_ range: ClosedRange<UInt16>, slot: UInt32, direction: CaptureDirection) -> [apus_exempt] {
        var keys: [apus_exempt] = []
        var first = Int(range.lowerBound)
        let last = Int(range.upperBound)
        while first <= last {
            // The largest aligned block that starts at `first` and does not pass `last`.
            var bits = first == 0 ? 16 : min(16, first.trailingZeroBitCount)
            while first + (1 << bits) - 1 > last { bits -= 1 }
            keys.append(
                apus_exempt(
                    length: UInt32(64 - bits), slot: slot, direction: UInt16(direction.rawValue),
                    port_be: UInt16(first).bigEndian))
            first += 1 << bits
        }
        return keys
    }
}

/// Where a listener stands in the table (`APUS_LISTENER_INDEX`, a macro with arguments, which Swift does not import).
func listenerIndex(slot: UInt32, direction: CaptureDirection, isV4: Bool) -> UInt32 {
    slot * 4 + direction.rawValue * 2 + (isV4 ? 0 : 1)
}
