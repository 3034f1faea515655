// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// What a request's header block says (RFC 9113 §8.3.1). Ranges are of the ``FieldBlock`` it was read from.
    package struct RequestFields: Hashable, Sendable, BitwiseCopyable {
        package let method: Method
        package let methodRange: ByteRange
        /// `:path`; empty for CONNECT.
        package let path: ByteRange
        /// `:authority`, or Host if that is absent. May be empty.
        package let authority: ByteRange
        /// `:protocol` of an extended CONNECT (RFC 8441); empty for everything else.
        package let `protocol`: ByteRange
        /// -1 if not given.
        package let contentLength: Int64
        /// Its content type is gRPC's, so errors are told in gRPC's way.
        package let isGRPC: Bool

        /// Whether it asks for a tunnel: bytes both ways until one side ends.
        package var isTunnel: Bool { method == .connect }

        /// Reads and checks a request.
        /// - Throws: a stream error if it is malformed (§8.1.1).
        package static func read(_ block: borrowing FieldBlock) throws(HTTP2StreamError) -> RequestFields {
            var reader = RequestReader()
            let bytes = unsafe block.buffer
            for index in 0..<block.count { try reader.take(block[index], unsafe bytes.span) }
            return try reader.finish(unsafe bytes.span)
        }
    }

    private struct RequestReader {
        var fields = MessageFields()
        var method: ByteRange?
        var scheme: ByteRange?
        var path: ByteRange?
        var authority: ByteRange?
        var host: ByteRange?
        var `protocol`: ByteRange?

        mutating func take(_ field: FieldBlock.Field, _ bytes: Span<UInt8>) throws(HTTP2StreamError) {
            let name = FieldName(bytes, field.name, token: field.nameToken)
            switch name {
            case .method: try set(&method, field, bytes)
            case .scheme: try set(&scheme, field, bytes)
            case .path: try set(&path, field, bytes)
            case .authority: try set(&authority, field, bytes)
            case .protocol: try set(&self.protocol, field, bytes)
            case .status, .otherPseudo: throw HTTP2StreamError(.protocolError)
            default:
                guard fields.take(name, field, bytes) else { throw HTTP2StreamError(.protocolError) }
                if name == .host {
                    guard host == nil else { throw HTTP2StreamError(.protocolError) }
                    host = field.value
                }
            }
        }

        private func set(
            _ slot: inout ByteRange?, _ field: FieldBlock.Field, _ bytes: Span<UInt8>
        ) throws(HTTP2StreamError) {
            guard slot == nil, !fields.hasSeenRegular, bytes.isFieldValue(field.value) else {
                throw HTTP2StreamError(.protocolError)
            }
            slot = field.value
        }

        func finish(_ bytes: Span<UInt8>) throws(HTTP2StreamError) -> RequestFields {
            guard let method, bytes.isMethod(method) else { throw HTTP2StreamError(.protocolError) }
            let kind = Method(bytes, method)
            let isPlainConnect = kind == .connect && self.protocol == nil
            if isPlainConnect {
                // §8.5: an authority and nothing else.
                guard scheme == nil, path == nil, authority != nil else { throw HTTP2StreamError(.protocolError) }
            } else {
                guard let scheme, !scheme.isEmpty, let path, !path.isEmpty else {
                    throw HTTP2StreamError(.protocolError)
                }
                let isAsterisk = kind == .options && bytes.equals(path, "*")
                guard bytes[path.lower] == .slash || isAsterisk || !bytes.isWeb(scheme) else {
                    throw HTTP2StreamError(.protocolError)
                }
            }
            guard self.protocol == nil || (kind == .connect && authority != nil) else {
                throw HTTP2StreamError(.protocolError)
            }
            // User information disguises where a request goes (§8.3.1).
            if let authority, bytes.contains(0x40, in: authority) { throw HTTP2StreamError(.protocolError) }
            // Two hosts are two readings of one request.
            if let authority, let host, !bytes.matches(authority, host) { throw HTTP2StreamError(.protocolError) }
            return RequestFields(
                method: kind, methodRange: method, path: path ?? .empty, authority: authority ?? host ?? .empty,
                protocol: self.protocol ?? .empty, contentLength: fields.contentLength, isGRPC: fields.isGRPC)
        }
    }
}

extension Span where Element == UInt8 {
    fileprivate func isMethod(_ range: ByteRange) -> Bool {
        guard 1...HTTP1.maximumMethodBytes ~= range.count else { return false }
        for index in range.indices where !ByteClass.token.contains(self[index]) { return false }
        return true
    }

    fileprivate func contains(_ byte: UInt8, in range: ByteRange) -> Bool {
        for index in range.indices where self[index] == byte { return true }
        return false
    }

    fileprivate func isWeb(_ scheme: ByteRange) -> Bool { matches(scheme, "http") || matches(scheme, "https") }
}
