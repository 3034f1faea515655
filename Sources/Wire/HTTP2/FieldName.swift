// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// Fields that mean something to an intermediary.
    enum FieldName: UInt8 {
        case authority, method, path, scheme, status, `protocol`
        case contentLength, contentType, host, te, grpcStatus
        /// `connection` and its like, which have no place in HTTP/2 (RFC 9113 §8.2.2).
        case connectionSpecific
        case otherPseudo
        case other

        /// Which one it is. A field whose name HPACK's static table has is told by `token` without a look at its bytes.
        init(_ bytes: Span<UInt8>, _ range: ByteRange, token: UInt8) {
            switch token {
            case 1: self = .authority
            case 2: self = .method
            case 4: self = .path
            case 6: self = .scheme
            case 8: self = .status
            case 28: self = .contentLength
            case 31: self = .contentType
            case 38: self = .host
            case 57: self = .connectionSpecific  // transfer-encoding
            case 0: self = FieldName.spelled(bytes, range)
            default: self = .other
            }
        }

        private static func spelled(_ bytes: Span<UInt8>, _ range: ByteRange) -> FieldName {
            if range.isEmpty { return .other }
            if bytes[range.lower] == .colon { return bytes.equals(range, ":protocol") ? .protocol : .otherPseudo }
            switch range.count {
            case 2: return bytes.equals(range, "te") ? .te : .other
            case 7: return bytes.equals(range, "upgrade") ? .connectionSpecific : .other
            case 10:
                return bytes.equals(range, "connection") || bytes.equals(range, "keep-alive")
                    ? .connectionSpecific : .other
            case 11: return bytes.equals(range, "grpc-status") ? .grpcStatus : .other
            case 16: return bytes.equals(range, "proxy-connection") ? .connectionSpecific : .other
            default: return .other
            }
        }
    }
}

extension ByteClass {
    /// `tchar` without capitals: what a field name may hold in HTTP/2 (RFC 9113 §8.2.1, RFC 9110 §5.1).
    static var lowerCaseToken: ByteClass { ByteClass(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c000_0000) }
}

extension Span where Element == UInt8 {
    /// Whether `range` is a field name as HTTP/2 has it.
    func isLowerCaseName(_ range: ByteRange) -> Bool {
        guard !range.isEmpty else { return false }
        for index in range.indices where !ByteClass.lowerCaseToken.contains(self[index]) { return false }
        return true
    }

    /// Whether `range` is a field value as HTTP/2 has it: no NUL, CR or LF, no blank at either end (RFC 9113 §8.2.1).
    func isFieldValue(_ range: ByteRange) -> Bool {
        guard !range.isEmpty else { return true }
        guard !self[range.lower].isBlank, !self[range.upper &- 1].isBlank else { return false }
        for index in range.indices {
            let byte = self[index]
            if byte <= .carriageReturn && (byte == 0 || byte == .lineFeed || byte == .carriageReturn) { return false }
        }
        return true
    }

    /// A number of at most 18 digits, or `nil`.
    func decimal(_ range: ByteRange) -> Int64? {
        guard 1...18 ~= range.count else { return nil }
        var number: Int64 = 0
        for index in range.indices {
            guard self[index].isDigit else { return nil }
            number = number &* 10 &+ Int64(self[index] &- 0x30)
        }
        return number
    }

    /// Whether `range` begins with `application/grpc`, followed by nothing or by `+`, `;` or a blank.
    func isGRPC(_ range: ByteRange) -> Bool {
        guard range.count >= 16 else { return false }
        guard equals(ByteRange(range.lower, range.lower &+ 16), "application/grpc") else { return false }
        guard range.count > 16 else { return true }
        let next = self[range.lower &+ 16]
        return next == 0x2b || next == .semicolon || next.isBlank
    }
}
