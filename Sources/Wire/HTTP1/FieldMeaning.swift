// SPDX-License-Identifier: Apache-2.0

/// What the few fields that steer a connection said, gathered while the lines go by.
struct FieldMeaning {
    private(set) var contentLength: UInt64?
    private(set) var isChunked = false
    private(set) var connection: ConnectionOptions = []
    private(set) var host: ByteRange?
    private(set) var hasUpgradeField = false
    private(set) var expectsContinue = false

    /// Takes note of one field line. `padded` is everything between the colon and the end of the line.
    mutating func note(
        _ bytes: Span<UInt8>, name: ByteRange, value: ByteRange, padded: ByteRange
    ) throws(HTTP1Error) {
        // Length first: of the fields that are sent most, few get past it.
        switch name.count {
        case 4 where bytes.matches(name, "host"):
            guard host == nil else { throw .duplicateHost }
            host = value
        case 6 where bytes.matches(name, "expect"):
            noteExpectation(bytes, value)
        case 7 where bytes.matches(name, "upgrade"):
            hasUpgradeField = hasUpgradeField || !value.isEmpty
        case 10 where bytes.matches(name, "connection"):
            try noteConnection(bytes, value)
        case 14 where bytes.matches(name, "content-length"):
            guard contentLength == nil else { throw .duplicateContentLength }
            guard !bytes.hasTab(padded) else { throw .malformedContentLength }
            contentLength = try Self.length(bytes, value)
        case 17 where bytes.matches(name, "transfer-encoding"):
            guard !isChunked else { throw .duplicateTransferEncoding }
            guard !bytes.hasTab(padded) else { throw .malformedTransferEncoding }
            try noteTransferEncoding(bytes, value)
        default:
            break
        }
    }

    /// The framing that the fields agree on, for a message that may have a body; `nil` if they are silent.
    func framing(minorVersion: UInt8) throws(HTTP1Error) -> BodyFraming? {
        if isChunked {
            // Both is the classic way to smuggle. RFC 9112 §6.1 lets us refuse, and so we do.
            guard contentLength == nil else { throw .transferEncodingWithContentLength }
            // HTTP/1.0 has no codings: whoever sends one there is mistaken about who reads it, and §6.1 tells us to
            // take the framing as faulty. Refusing is the one reading that every peer shares.
            guard minorVersion >= 1 else { throw .transferEncodingInHTTP10 }
            return .chunked
        }
        return contentLength.map { $0 == 0 ? .none : .length($0) }
    }

    /// Digits and nothing else: no sign, no list, no blank inside. At most 2^63-1, because many peers count signed.
    private static func length(_ bytes: Span<UInt8>, _ value: ByteRange) throws(HTTP1Error) -> UInt64 {
        guard !value.isEmpty else { throw .malformedContentLength }
        var length: UInt64 = 0
        for index in value.indices {
            guard bytes[index].isDigit else { throw .malformedContentLength }
            let (tenfold, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tenfold.addingReportingOverflow(UInt64(bytes[index] &- 0x30))
            guard !overflow, !carry else { throw .malformedContentLength }
            length = sum
        }
        guard length <= UInt64(Int64.max) else { throw .malformedContentLength }
        return length
    }

    /// `chunked` once and last. Registered codings may stand before it, as they only change the payload; parameters
    /// and empty elements are refused, because they exist to be read differently.
    private mutating func noteTransferEncoding(_ bytes: Span<UInt8>, _ value: ByteRange) throws(HTTP1Error) {
        var isUnknown = false
        var codings = CommaList(value)
        while let coding = codings.next(in: bytes) {
            guard !isChunked, bytes.isToken(coding), !bytes.matches(coding, "identity") else {
                throw .malformedTransferEncoding
            }
            if bytes.matches(coding, "chunked") {
                isChunked = true
            } else if !bytes.isRegisteredCoding(coding) {
                isUnknown = true
            }
        }
        guard isChunked else { throw .malformedTransferEncoding }
        guard !isUnknown else { throw .unknownTransferCoding }
    }

    private mutating func noteConnection(_ bytes: Span<UInt8>, _ value: ByteRange) throws(HTTP1Error) {
        var options = CommaList(value)
        while let option = options.next(in: bytes) {
            switch option.count {
            case 5 where bytes.matches(option, "close"): connection.insert(.close)
            case 7 where bytes.matches(option, "upgrade"): connection.insert(.upgrade)
            case 10 where bytes.matches(option, "keep-alive"): connection.insert(.keepAlive)
            // We forward these fields; a next hop that obeys would drop them and see another message than we did.
            case 4 where bytes.matches(option, "host"),
                14 where bytes.matches(option, "content-length"),
                17 where bytes.matches(option, "transfer-encoding"):
                throw .forbiddenConnectionOption
            default: break
            }
        }
    }

    private mutating func noteExpectation(_ bytes: Span<UInt8>, _ value: ByteRange) {
        var expectations = CommaList(value)
        while let expectation = expectations.next(in: bytes) {
            expectsContinue = expectsContinue || bytes.matches(expectation, "100-continue")
        }
    }
}

extension Span where Element == UInt8 {
    /// Whether `range` is a token (RFC 9110 §5.6.2), that is also not empty.
    func isToken(_ range: ByteRange) -> Bool {
        for index in range.indices where !ByteClass.token.contains(self[index]) { return false }
        return !range.isEmpty
    }

    /// Legal as a blank, but known to part the framing fields of one peer from their values and not of another.
    fileprivate func hasTab(_ range: ByteRange) -> Bool {
        for index in range.indices where self[index] == .horizontalTab { return true }
        return false
    }

    /// The codings of RFC 9112 §7.2 and their old aliases.
    fileprivate func isRegisteredCoding(_ coding: ByteRange) -> Bool {
        matches(coding, "gzip") || matches(coding, "deflate") || matches(coding, "compress")
            || matches(coding, "x-gzip") || matches(coding, "x-compress")
    }
}
