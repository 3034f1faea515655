// SPDX-License-Identifier: Apache-2.0

extension IPAddress: LosslessStringConvertible {
    /// Parses dotted decimal (no leading zeros, which libraries read as octal) or RFC 4291 §2.2 text; no zone, no brackets.
    package init?(_ text: some StringProtocol) {
        if text.contains(":") {
            guard let groups = IPAddress.parseV6(text) else { return nil }
            let high = groups[0..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
            let low = groups[4..<8].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
            self.init(high: high, low: low)
        } else {
            guard let value = IPAddress.parseV4(text) else { return nil }
            self.init(v4: value)
        }
    }

    package init?(_ description: String) {
        self.init(description[...])
    }

    /// Dotted decimal, or the canonical form of RFC 5952 (lower case, the longest run of two or more zero groups as `::`).
    package var description: String {
        if let v4 {
            return "\(v4 >> 24).\(v4 >> 16 & 0xff).\(v4 >> 8 & 0xff).\(v4 & 0xff)"
        }
        let groups = (0..<8).map { index in
            UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - 16 * (index % 4)))
        }
        let gap = IPAddress.longestZeroRun(groups)
        let head = groups[..<gap.lowerBound].map { String($0, radix: 16) }.joined(separator: ":")
        if gap.isEmpty { return groups.map { String($0, radix: 16) }.joined(separator: ":") }
        let tail = groups[gap.upperBound...].map { String($0, radix: 16) }.joined(separator: ":")
        return "\(head)::\(tail)"
    }

    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int> {
        var best = 0..<0
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count && groups[end] == 0 { end += 1 }
            if end - start >= 2 && end - start > best.count { best = start..<end }
            start = end + 1
        }
        return best
    }

    private static func parseV4(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                part.utf8.count == 1 || part.utf8.first != 0x30, let byte = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(byte)
        }
        return value
    }

    private static func parseV6(_ text: some StringProtocol) -> [UInt16]? {
        // Splitting at "::" by hand: StringProtocol's range(of:) is Foundation's.
        var halves: [[UInt16]] = [[]]
        var parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return nil }
        // A leading or trailing "::" gives two empty parts at that end: drop one, so that one gap stays one empty part.
        if parts.first!.isEmpty {
            guard parts[1].isEmpty else { return nil }
            parts.removeFirst()
        }
        if parts.last!.isEmpty {
            guard parts[parts.count - 2].isEmpty else { return nil }
            if parts.count > 1 { parts.removeLast() }
        }
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                guard halves.count == 1 else { return nil }
                halves.append([])
            } else if index == parts.count - 1, part.contains(".") {
                guard let v4 = parseV4(part) else { return nil }
                halves[halves.count - 1] += [UInt16(truncatingIfNeeded: v4 >> 16), UInt16(truncatingIfNeeded: v4)]
            } else {
                guard part.utf8.count <= 4, part.utf8.allSatisfy({ isHexDigit($0) }),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                halves[halves.count - 1].append(group)
            }
        }
        if halves.count == 1 { return halves[0].count == 8 ? halves[0] : nil }
        let missing = 8 - halves[0].count - halves[1].count
        return missing >= 1 ? halves[0] + [UInt16](repeating: 0, count: missing) + halves[1] : nil
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
        default: false
        }
    }
}
