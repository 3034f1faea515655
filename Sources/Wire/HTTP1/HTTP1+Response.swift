// SPDX-License-Identifier: Apache-2.0

extension HTTP1 {
    /// Parses a response head (RFC 9112 §4 and §5) at the start of `bytes`.
    ///
    /// As strict as for requests: a response that two peers end at different bytes gives one user's answer to another.
    /// - Parameters:
    ///   - bytes: everything read so far; may reach into the body. Call again with more of it after `nil`.
    ///   - method: of the request that this answers, because HEAD and CONNECT change what follows.
    ///   - fields: receives one entry per field line, in order. Meaningless unless a head is returned.
    /// - Returns: `nil` while the head is incomplete, which ends at ``maximumHeadBytes``.
    /// - Throws: the first rule that is broken. Answer 502 and close both ways.
    /// - Complexity: O(length of the head); does not allocate.
    package static func parseResponseHead(
        _ bytes: Span<UInt8>, answering method: Method, into fields: inout FieldTable
    ) throws(HTTP1Error) -> ResponseHead? {
        let isFull = bytes.count >= maximumHeadBytes
        let head = try parseResponse(
            isFull ? bytes.extracting(first: maximumHeadBytes) : bytes, answering: method, into: &fields)
        guard head != nil || !isFull else { throw .headTooLarge }
        return head
    }

    private static func parseResponse(
        _ bytes: Span<UInt8>, answering method: Method, into fields: inout FieldTable
    ) throws(HTTP1Error) -> ResponseHead? {
        fields.removeAll()
        var at = 0
        guard let minorVersion = try version(bytes, &at),
            let status = try statusCode(bytes, &at),
            try skipReason(bytes, &at)
        else { return nil }

        var meaning = FieldMeaning()
        guard try parseFields(bytes, &at, into: &fields, noting: &meaning) else { return nil }
        let isTunnel = method == .connect && 200..<300 ~= status
        let announced = try meaning.framing(minorVersion: minorVersion)
        return ResponseHead(
            status: status, minorVersion: minorVersion, connection: meaning.connection,
            switchesProtocol: isTunnel || status == 101, byteCount: at,
            framing: try framing(announced, status: status, method: method, isTunnel: isTunnel))
    }

    /// The rules of RFC 9112 §6.3, in their order.
    private static func framing(
        _ announced: BodyFraming?, status: UInt16, method: Method, isTunnel: Bool
    ) throws(HTTP1Error) -> BodyFraming {
        // Lengths are to be ignored here (RFC 9110 §9.3.6).
        if isTunnel { return .none }
        if status < 200 || status == 204 {
            // Nothing follows, and saying otherwise is forbidden (RFC 9110 §8.6, RFC 9112 §6.1): a peer that believes
            // it would wait for our next response as this one's body. Zero is common and harmless.
            guard announced == nil || announced == BodyFraming.none else { throw .bodyNotAllowed }
            return .none
        }
        if method == .head || status == 304 { return .none }  // lengths there describe what was not sent
        return announced ?? .untilClose
    }

    /// Consumes a space and three digits.
    private static func statusCode(_ bytes: Span<UInt8>, _ at: inout Int) throws(HTTP1Error) -> UInt16? {
        guard at < bytes.count else { return nil }
        guard bytes[at] == .space else { throw .malformedStartLine }
        var status: UInt16 = 0
        for index in 1...3 {
            guard at &+ index < bytes.count else { return nil }
            guard bytes[at &+ index].isDigit else { throw .malformedStatus }
            status = status &* 10 &+ UInt16(bytes[at &+ index] &- 0x30)
        }
        guard status >= 100 else { throw .malformedStatus }
        at &+= 4
        return status
    }

    /// Consumes the rest of the status line. The phrase may be missing, and the space before it too: that is common,
    /// and no two peers read it differently.
    private static func skipReason(_ bytes: Span<UInt8>, _ at: inout Int) throws(HTTP1Error) -> Bool {
        guard at < bytes.count else { return false }
        if bytes[at] == .space {
            at = bytes.endOfText(from: at)
        } else if bytes[at].isText {
            throw .malformedStatus  // a fourth digit, or a phrase glued to the code
        }
        return try lineEnd(bytes, &at)
    }
}
