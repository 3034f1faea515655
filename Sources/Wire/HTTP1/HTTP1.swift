// SPDX-License-Identifier: Apache-2.0

/// HTTP/1.0 and HTTP/1.1 messages (RFC 9112): where their parts lie and where they end.
///
/// The proxy forwards heads and bodies verbatim, so nothing here rewrites. That makes strictness the whole defence:
/// whatever two peers may read differently is refused, because reading differently is how requests are smuggled
/// (RFC 9112 §11.2).
package enum HTTP1 {
    /// The longest head, start line and empty lines before it included. Also what a reader needs to buffer.
    package static var maximumHeadBytes: Int { 65_536 }
    /// The most field lines in a head, and in a trailer section.
    package static var maximumFields: Int { 200 }
    /// The longest method; the longest registered one has 17 bytes (UPDATEREDIRECTREF).
    package static var maximumMethodBytes: Int { 32 }
    /// How many empty lines before a request line are forgiven (RFC 9112 §2.2 asks for one at least).
    package static var maximumEmptyLines: Int { 4 }
    /// The longest trailer section of a chunked body.
    package static var maximumTrailerBytes: Int { 16_384 }
    /// The most bytes of extensions on one chunk-size line.
    package static var maximumChunkExtensionBytes: Int { 1_024 }

    /// Consumes CR LF. Returns false while it has not arrived; `at` is unchanged then.
    @inline(__always)
    static func lineEnd(_ bytes: Span<UInt8>, _ at: inout Int) throws(HTTP1Error) -> Bool {
        guard at < bytes.count else { return false }
        guard bytes[at] == .carriageReturn else {
            throw bytes[at] == .lineFeed ? .bareLineFeed : .malformedStartLine
        }
        guard at &+ 1 < bytes.count else { return false }
        guard bytes[at &+ 1] == .lineFeed else { throw .bareCarriageReturn }
        at &+= 2
        return true
    }

    /// Consumes `HTTP/1.0` or `HTTP/1.1` and returns the minor version; `nil` while it has not arrived.
    static func version(_ bytes: Span<UInt8>, _ at: inout Int) throws(HTTP1Error) -> UInt8? {
        // "HTTP/1.1" as one number: almost every message says exactly this.
        if at &+ 8 <= bytes.count, bytes.eightBytes(at: at).word == 0x312e_312f_5054_5448 {
            at &+= 8
            return 1
        }
        let name: StaticString = "HTTP/"
        for index in 0..<8 {
            guard at &+ index < bytes.count else { return nil }
            let byte = bytes[at &+ index]
            let isExpected =
                switch index {
                case 0..<5: unsafe byte == name.utf8Start[index]
                case 6: byte == 0x2e
                default: byte.isDigit
                }
            guard isExpected else { throw .malformedVersion }
        }
        let (major, minor) = (bytes[at &+ 5] &- 0x30, bytes[at &+ 7] &- 0x30)
        guard major == 1, minor <= 1 else { throw .unsupportedVersion }
        at &+= 8
        return minor
    }
}
