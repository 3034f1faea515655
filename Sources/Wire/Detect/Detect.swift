// SPDX-License-Identifier: Apache-2.0

/// Tells the protocol of a connection from the downstream's first bytes.
///
/// It never guesses from half a sign: ``Verdict/needMore`` costs a moment, a wrong protocol costs the connection.
/// And it never fails: what is nothing we know is opaque, and is passed through untouched.
package enum Detect {
    /// What the bytes are.
    package enum Verdict: UInt8, Sendable, BitwiseCopyable {
        /// Still more than one answer is possible.
        case needMore
        /// An HTTP/1 request line, or one that is meant to be.
        case http1
        /// The client preface of HTTP/2 with prior knowledge.
        case http2Preface
        /// A TLS ClientHello.
        case tls
        /// Anything else.
        case opaque
    }

    /// How long to look for the end of a request line.
    package static var maximumBytes: Int { 8_192 }

    /// The verdict on everything received so far. Final unless it is ``Verdict/needMore``, which ends at
    /// ``maximumBytes``.
    package static func classify(_ bytes: Span<UInt8>) -> Verdict {
        guard bytes.count > 0 else { return .needMore }
        if bytes[0] == 0x16 { return classifyTLS(bytes) }
        let preface = bytes.commonPrefix(with: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        if preface == 24 { return .http2Preface }
        if preface == bytes.count { return .needMore }
        let verdict = RequestLine.classify(bytes.count > maximumBytes ? bytes.extracting(first: maximumBytes) : bytes)
        return verdict == .needMore && bytes.count >= maximumBytes ? .opaque : verdict
    }

    /// A handshake record (RFC 8446 §5.1) of any version that was ever written there, holding a ClientHello.
    private static func classifyTLS(_ bytes: Span<UInt8>) -> Verdict {
        if bytes.count > 1, bytes[1] != 3 { return .opaque }
        if bytes.count > 2, bytes[2] > 4 { return .opaque }
        if bytes.count > 4 {
            let length = Int(bytes[3]) &<< 8 | Int(bytes[4])
            guard 1...ClientHello.maximumRecordBytes ~= length else { return .opaque }
        }
        guard bytes.count > 5 else { return .needMore }
        return bytes[5] == ClientHello.handshakeType ? .tls : .opaque
    }
}

extension Span where Element == UInt8 {
    /// How many bytes at the start are those of `literal`.
    func commonPrefix(with literal: StaticString) -> Int {
        let limit = Swift.min(count, literal.utf8CodeUnitCount)
        var index = 0
        while index < limit, unsafe self[index] == literal.utf8Start[index] { index &+= 1 }
        return index
    }
}
