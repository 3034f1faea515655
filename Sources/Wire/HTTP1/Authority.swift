// SPDX-License-Identifier: Apache-2.0

/// `host [":" port]` (RFC 9110 §7.2), checked more narrowly than the grammar: these bytes pick the destination.
struct Authority {
    /// The host, brackets of an IPv6 literal included.
    let host: ByteRange
    /// The port as written, or `nil` without one. `host:` has none either.
    let port: UInt16?

    /// - Returns: `nil` if the bytes of `range` are no such thing. User information (`user@host`) is none: RFC 9110
    ///   §4.2.4 has a recipient treat it as an error, for it is used to disguise where a request goes.
    init?(_ bytes: Span<UInt8>, _ range: ByteRange) {
        var at = range.lower
        if at < range.upper, bytes[at] == .leftBracket {
            at &+= 1
            while at < range.upper, ByteClass.addressLiteral.contains(bytes[at]) { at &+= 1 }
            guard at < range.upper, bytes[at] == .rightBracket, at > range.lower &+ 1 else { return nil }
            at &+= 1
        } else {
            while at < range.upper, ByteClass.registeredName.contains(bytes[at]) { at &+= 1 }
        }
        host = ByteRange(range.lower, at)
        guard at < range.upper else {
            port = nil
            return
        }
        guard bytes[at] == .colon, !host.isEmpty else { return nil }
        at &+= 1
        var number: UInt32 = 0
        let digits = at
        while at < range.upper {
            guard bytes[at].isDigit else { return nil }
            number = number &* 10 &+ UInt32(bytes[at] &- 0x30)  // below 655360, so it cannot wrap
            guard number <= UInt32(UInt16.max) else { return nil }
            at &+= 1
        }
        port = at > digits ? UInt16(number) : nil
    }

    /// Whether both mean the same place, a missing port being `defaultPort`.
    func isSame(as other: Authority, _ bytes: Span<UInt8>, defaultPort: UInt16?) -> Bool {
        bytes.matches(host, other.host) && (port ?? defaultPort) == (other.port ?? defaultPort)
    }
}
