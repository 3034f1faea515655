// SPDX-License-Identifier: Apache-2.0

extension String {
    /// The text with everything escaped that a terminal might obey instead of showing: control characters, and the
    /// marks that turn the direction of writing. Paths and authorities come from strangers.
    var visible: String {
        // The common case costs no copy.
        guard unicodeScalars.contains(where: \.isUnsafeInTerminal) else { return self }
        return unicodeScalars.map { scalar in
            switch scalar {
            case "\\": return "\\\\"
            case let scalar where !scalar.isUnsafeInTerminal: return String(scalar)
            case let scalar where scalar.value <= 0xff: return "\\x" + String.hex(scalar.value, digits: 2)
            default: return "\\u" + String.hex(scalar.value, digits: 4)
            }
        }.joined()
    }

    private static func hex(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: Swift.max(0, digits - text.count)) + text
    }
}

extension Unicode.Scalar {
    /// C0, DEL and C1, line separators, bidirectional overrides and isolates, and the backslash we escape with.
    fileprivate var isUnsafeInTerminal: Bool {
        switch value {
        case 0..<0x20, 0x7f..<0xa0, 0x5c, 0x2028...0x202e, 0x2066...0x2069, 0x200e, 0x200f, 0x61c: true
        default: false
        }
    }
}
