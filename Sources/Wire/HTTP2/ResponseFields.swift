// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// What a response's header block says (RFC 9113 §8.3.2).
    package struct ResponseFields: Hashable, Sendable, BitwiseCopyable {
        /// 100 to 999.
        package let status: UInt16
        /// -1 if not given.
        package let contentLength: Int64
        package let isGRPC: Bool
        /// `grpc-status` if it is here and not in trailers (a response without messages), else ``GRPC/noStatus``.
        package let grpcStatus: UInt8

        /// The final response is still to come (RFC 9110 §15.2).
        package var isInterim: Bool { status < 200 }

        /// Reads and checks a response.
        /// - Throws: a stream error if it is malformed (§8.1.1).
        package static func read(_ block: borrowing FieldBlock) throws(HTTP2StreamError) -> ResponseFields {
            var fields = MessageFields()
            var status: Int64?
            let buffer = unsafe block.buffer
            for index in 0..<block.count {
                let field = block[index]
                let bytes = unsafe buffer.span
                let name = FieldName(bytes, field.name, token: field.nameToken)
                switch name {
                case .status:
                    guard status == nil, !fields.hasSeenRegular, field.value.count == 3 else {
                        throw HTTP2StreamError(.protocolError)
                    }
                    status = bytes.decimal(field.value)
                case .method, .scheme, .path, .authority, .protocol, .otherPseudo:
                    throw HTTP2StreamError(.protocolError)
                default:
                    guard fields.take(name, field, bytes) else { throw HTTP2StreamError(.protocolError) }
                }
            }
            // 101 does not exist in HTTP/2 (§8.6).
            guard let status, status >= 100, status != 101 else { throw HTTP2StreamError(.protocolError) }
            return ResponseFields(
                status: UInt16(status), contentLength: fields.contentLength, isGRPC: fields.isGRPC,
                grpcStatus: fields.grpcStatus)
        }
    }

    /// What a trailer section says (RFC 9113 §8.1).
    package struct TrailerFields: Hashable, Sendable, BitwiseCopyable {
        /// `grpc-status`, or ``GRPC/noStatus``.
        package let grpcStatus: UInt8

        /// Reads and checks trailers: no pseudo-fields.
        package static func read(_ block: borrowing FieldBlock) throws(HTTP2StreamError) -> TrailerFields {
            var fields = MessageFields()
            let buffer = unsafe block.buffer
            for index in 0..<block.count {
                let field = block[index]
                let bytes = unsafe buffer.span
                let name = FieldName(bytes, field.name, token: field.nameToken)
                switch name {
                case .method, .scheme, .path, .authority, .protocol, .status, .otherPseudo:
                    throw HTTP2StreamError(.protocolError)
                default:
                    guard fields.take(name, field, bytes) else { throw HTTP2StreamError(.protocolError) }
                }
            }
            return TrailerFields(grpcStatus: fields.grpcStatus)
        }
    }
}
