// SPDX-License-Identifier: Apache-2.0

extension HTTP1 {
    /// Parses a request head (RFC 9112 §3 and §5) at the start of `bytes`.
    ///
    /// - Parameters:
    ///   - bytes: everything read so far; may reach into the body. After `nil`, call again with more of it: once a line
    ///     feed is among the new bytes or the limit is reached, which bounds the calls by the number of fields even
    ///     for a peer that sends single bytes.
    ///   - fields: receives one entry per field line, in order. Meaningless unless a head is returned.
    /// - Returns: `nil` while the head is incomplete, which ends at ``maximumHeadBytes``.
    /// - Throws: the first rule that is broken. The stream cannot be resynchronised: answer and close.
    /// - Complexity: O(length of the head); does not allocate.
    package static func parseRequestHead(
        _ bytes: Span<UInt8>, into fields: inout FieldTable
    ) throws(HTTP1Error) -> RequestHead? {
        // Never look further than the limit, so that the verdict does not depend on how much a read happened to bring.
        let isFull = bytes.count >= maximumHeadBytes
        let head = try parseRequest(isFull ? bytes.extracting(first: maximumHeadBytes) : bytes, into: &fields)
        guard head != nil || !isFull else { throw .headTooLarge }
        return head
    }

    private static func parseRequest(
        _ bytes: Span<UInt8>, into fields: inout FieldTable
    ) throws(HTTP1Error) -> RequestHead? {
        fields.removeAll()
        var at = 0
        guard try skipEmptyLines(bytes, &at),
            let methodRange = try word(bytes, &at, until: bytes.endOfToken(from: at), else: .malformedMethod),
            let target = try word(bytes, &at, until: bytes.endOfTarget(from: at), else: .malformedTarget),
            let minorVersion = try version(bytes, &at),
            try lineEnd(bytes, &at)
        else { return nil }
        guard methodRange.count <= maximumMethodBytes else { throw .malformedMethod }
        let method = Method(bytes, methodRange)
        let parts = try RequestTarget(bytes, target, method: method)

        var meaning = FieldMeaning()
        guard try parseFields(bytes, &at, into: &fields, noting: &meaning) else { return nil }
        try check(meaning.host, bytes, against: parts, minorVersion: minorVersion)
        let framing = try meaning.framing(minorVersion: minorVersion) ?? .none
        // CONNECT has no content (RFC 9110 §9.3.6): what follows is the tunnel's, or smuggled.
        guard method != .connect || framing == .none else { throw .bodyNotAllowed }
        return RequestHead(
            method: method, methodRange: methodRange, target: target, path: parts.path,
            authority: parts.authority == nil ? meaning.host ?? .empty : parts.authorityRange,
            targetForm: parts.form, minorVersion: minorVersion, connection: meaning.connection,
            expectsContinue: meaning.expectsContinue && minorVersion >= 1,
            hasUpgrade: meaning.hasUpgradeField && meaning.connection.contains(.upgrade) && minorVersion >= 1,
            byteCount: at, framing: framing)
    }

    /// Some peers end a body with a line end that they do not count (RFC 9112 §2.2).
    private static func skipEmptyLines(_ bytes: Span<UInt8>, _ at: inout Int) throws(HTTP1Error) -> Bool {
        for _ in 0..<maximumEmptyLines {
            guard at < bytes.count, bytes[at] == .carriageReturn else { break }
            guard try lineEnd(bytes, &at) else { return false }
        }
        guard at < bytes.count else { return false }
        guard bytes[at] != .carriageReturn else { throw .tooManyEmptyLines }
        return true
    }

    /// Consumes the bytes up to `end`, at least one, and the single space after them; `nil` while that has not arrived.
    private static func word(
        _ bytes: Span<UInt8>, _ at: inout Int, until end: Int, else error: HTTP1Error
    ) throws(HTTP1Error) -> ByteRange? {
        guard end < bytes.count else { return nil }
        guard bytes[end] == .space, end > at else {
            switch bytes[end] {
            case .lineFeed: throw .bareLineFeed
            // A second space, or the line ends where HTTP/0.9 would have let it.
            case .space, .carriageReturn: throw .malformedStartLine
            default: throw error
            }
        }
        defer { at = end &+ 1 }
        return ByteRange(at, end)
    }

    /// Exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0 (RFC 9112 §3.2).
    private static func check(
        _ host: ByteRange?, _ bytes: Span<UInt8>, against target: RequestTarget, minorVersion: UInt8
    ) throws(HTTP1Error) {
        guard let host else {
            guard minorVersion == 0 else { throw .missingHost }
            return
        }
        guard let named = Authority(bytes, host) else { throw .malformedHost }
        // A client must send both alike (§3.2.2). Origins that go by the one and by the other disagree, and as we
        // forward both, so must we. CONNECT is left out: there clients do differ, by the port.
        if target.form == .absolute, let wanted = target.authority,
            !named.isSame(as: wanted, bytes, defaultPort: target.defaultPort)
        {
            throw .hostMismatch
        }
    }
}
