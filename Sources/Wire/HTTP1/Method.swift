// SPDX-License-Identifier: Apache-2.0

/// A request method. Case-sensitive, as RFC 9110 §9.1 has it: `get` is ``other``.
package enum Method: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case get, head, post, put, delete, connect, options, trace, patch, other

    /// Whether sending it twice means no more than sending it once (RFC 9110 §9.2.2). Of a method we do not know we
    /// cannot say so.
    package var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .connect, .patch, .other: false
        }
    }

    /// The method that the bytes of `range` spell.
    init(_ bytes: Span<UInt8>, _ range: ByteRange) {
        self =
            switch range.count {
            case 3: bytes.equals(range, "GET") ? .get : bytes.equals(range, "PUT") ? .put : .other
            case 4: bytes.equals(range, "POST") ? .post : bytes.equals(range, "HEAD") ? .head : .other
            case 5: bytes.equals(range, "PATCH") ? .patch : bytes.equals(range, "TRACE") ? .trace : .other
            case 6: bytes.equals(range, "DELETE") ? .delete : .other
            case 7:
                bytes.equals(range, "OPTIONS") ? .options : bytes.equals(range, "CONNECT") ? .connect : .other
            default: .other
            }
    }
}
