// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// The fields that any message may have, collected and checked while a block is walked (RFC 9113 §8.2).
    struct MessageFields {
        var contentLength: Int64 = -1
        var isGRPC = false
        var grpcStatus: UInt8 = GRPC.noStatus
        var hasSeenRegular = false

        /// Takes a field that is no pseudo-field; false if the message is malformed.
        mutating func take(_ name: FieldName, _ field: FieldBlock.Field, _ bytes: Span<UInt8>) -> Bool {
            hasSeenRegular = true
            guard bytes.isFieldValue(field.value) else { return false }
            switch name {
            case .connectionSpecific: return false
            case .contentLength:
                guard let length = bytes.decimal(field.value), contentLength == -1 || contentLength == length
                else { return false }
                contentLength = length
            case .contentType: isGRPC = bytes.isGRPC(field.value)
            case .grpcStatus: grpcStatus = GRPC.status(bytes, field.value)
            case .te: return bytes.matches(field.value, "trailers")
            case .other where field.nameToken == 0: return bytes.isLowerCaseName(field.name)
            default: break
            }
            return true
        }
    }
}

/// What gRPC says in fields.
package enum GRPC {
    /// No status was given.
    package static var noStatus: UInt8 { 255 }

    /// The code that `range` spells; what is no code is Unknown, as gRPC has clients read it.
    static func status(_ bytes: Span<UInt8>, _ range: ByteRange) -> UInt8 {
        guard let code = bytes.decimal(range), code <= 16 else { return 2 }
        return UInt8(code)
    }
}
