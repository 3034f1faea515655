// SPDX-License-Identifier: Apache-2.0

/// Finds the server name in a TLS ClientHello (RFC 8446 §4.1.2, RFC 6066 §3).
///
/// For labels and taps only: the connection is passed through as it is, whatever is found.
package enum ClientHello {
    /// What was found.
    package enum ServerName: Hashable, Sendable, BitwiseCopyable {
        /// The message is incomplete.
        case needMore
        /// A ClientHello that names no server, or does so in a way we do not show.
        case none
        /// The name: letters, digits, `-`, `.`, `_`, at most 253 bytes.
        case name(ByteRange)
        /// Not a ClientHello, or a broken one.
        case notClientHello
    }

    /// The longest plaintext record (RFC 8446 §5.1).
    package static var maximumRecordBytes: Int { 16_384 }
    /// How much of a stream is looked at. Post-quantum key shares make about 1.8 KiB of a usual hello.
    package static var maximumBytes: Int { 16_384 }
    /// The handshake type of a ClientHello.
    static var handshakeType: UInt8 { 1 }

    /// The server name in the ClientHello at the start of `bytes`. It may span records; a name that is itself cut by
    /// the end of a record is not looked for, since it lies nowhere in one piece.
    package static func serverName(_ bytes: Span<UInt8>) -> ServerName {
        let isFull = bytes.count >= maximumBytes
        var reader = HandshakeReader()
        do throws(HandshakeReader.Stop) {
            guard let name = try find(isFull ? bytes.extracting(first: maximumBytes) : bytes, &reader) else {
                return .none
            }
            return .name(name)
        } catch {
            return error == .incomplete && !isFull ? .needMore : .notClientHello
        }
    }

    private static func find(
        _ bytes: Span<UInt8>, _ reader: inout HandshakeReader
    ) throws(HandshakeReader.Stop) -> ByteRange? {
        guard try reader.number(bytes, width: 1) == Int(handshakeType) else { throw .malformed }
        try reader.limit(to: try reader.number(bytes, width: 3))
        try reader.skip(bytes, 2 + 32)  // version, random
        try reader.skip(bytes, try reader.number(bytes, width: 1))  // session
        try reader.skip(bytes, try reader.number(bytes, width: 2))  // cipher suites
        try reader.skip(bytes, try reader.number(bytes, width: 1))  // compression methods
        guard reader.left > 0 else { return nil }  // extensions are optional before TLS 1.3
        guard try reader.number(bytes, width: 2) == reader.left else { throw .malformed }
        while reader.left > 0 {
            let type = try reader.number(bytes, width: 2)
            let length = try reader.number(bytes, width: 2)
            guard length <= reader.left else { throw .malformed }
            guard type == 0 else {
                try reader.skip(bytes, length)
                continue
            }
            return try name(bytes, &reader, length: length)
        }
        return nil
    }

    /// The server_name extension: a list with exactly one name of type host_name, which is all that anyone sends.
    private static func name(
        _ bytes: Span<UInt8>, _ reader: inout HandshakeReader, length: Int
    ) throws(HandshakeReader.Stop) -> ByteRange? {
        guard length > 5, try reader.number(bytes, width: 2) == length - 2, try reader.number(bytes, width: 1) == 0
        else { return nil }
        let count = try reader.number(bytes, width: 2)
        guard count == length - 5, count <= 253, let range = try reader.contiguous(bytes, count) else { return nil }
        for index in range.indices where !ByteClass.hostName.contains(bytes[index]) { return nil }
        return range
    }
}
