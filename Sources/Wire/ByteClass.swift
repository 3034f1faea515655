// SPDX-License-Identifier: Apache-2.0

/// A set of ASCII bytes as two words, so that a membership test touches no memory.
///
/// The words are spelled out because a computed table would be initialised lazily, with a check at each use; a test
/// rebuilds every one from its characters.
struct ByteClass: Hashable {
    /// Bit n stands for byte n.
    let low: UInt64
    /// Bit n stands for byte 64 + n.
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let word = byte < 64 ? low : high
        return byte < 128 && (word &>> UInt64(byte)) & 1 != 0  // &>> takes the shift modulo 64
    }
}

extension ByteClass {
    /// `tchar` (RFC 9110 §5.6.2): methods, field names, codings, options.
    static var token: ByteClass { ByteClass(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe) }

    /// What a request target may hold: every visible ASCII byte except `#`.
    ///
    /// Wider than RFC 3986, because browsers send `|`, `{` and `"` as they are; `#` is out because some peers cut the
    /// path there and others do not.
    static var target: ByteClass { ByteClass(low: 0xffff_fff6_0000_0000, high: 0x7fff_ffff_ffff_ffff) }

    /// `unreserved / sub-delims` (RFC 3986 §3.2.2) without the comma, which would read as two hosts in a list, and
    /// without percent-encoding, which peers decode differently.
    static var registeredName: ByteClass { ByteClass(low: 0x2bff_6fd2_0000_0000, high: 0x47ff_fffe_87ff_fffe) }

    /// What stands between the brackets of an IPv6 literal.
    static var addressLiteral: ByteClass { ByteClass(low: 0x07ff_4000_0000_0000, high: 0x0000_007e_0000_007e) }

    /// A URI scheme after its first letter (RFC 3986 §3.1).
    static var scheme: ByteClass { ByteClass(low: 0x03ff_6800_0000_0000, high: 0x07ff_fffe_07ff_fffe) }

    /// What a host name in a ClientHello may hold to be shown to people: letters, digits, `-`, `.`, `_`.
    static var hostName: ByteClass { ByteClass(low: 0x03ff_6000_0000_0000, high: 0x07ff_fffe_87ff_fffe) }
}
