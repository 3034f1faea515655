// SPDX-License-Identifier: Apache-2.0

/// Follows a chunked body (RFC 9112 §7.1) to find where it ends. Nothing is decoded: the bytes are forwarded as they
/// are, so every byte is checked against the grammar on the way.
///
/// Blanks around a chunk size or an extension are refused, though old servers pad with them: recipients disagree on
/// which are part of the size. Chunk data is skipped, not read.
package struct ChunkedDecoder: Hashable, Sendable, BitwiseCopyable {
    private enum State: UInt8 {
        case size, sizeLineFeed
        case extensionStart, extensionName, extensionValueStart, extensionValue
        case extensionQuoted, extensionEscape, extensionQuotedEnd
        case data, dataEnd, dataLineFeed
        case trailerStart, trailerName, trailerValue, trailerLineFeed
        case endLineFeed, complete
    }

    private var state = State.size
    private var digits: UInt8 = 0
    private var trailerCount: UInt8 = 0
    private var extensionBytes: UInt16 = 0
    private var trailerBytes: UInt16 = 0
    /// While a size is read: its value so far. In the data: what is left of the chunk.
    private var remaining: UInt64 = 0
    private var trailerName = TrailerName()

    /// Payload bytes seen so far, without the chunks' own lines.
    package private(set) var payloadBytes: UInt64 = 0

    /// At the start of a body.
    package init() {}

    /// Whether the last chunk and the trailers have been seen. The next message begins after them.
    package var isComplete: Bool { state == .complete }

    /// Follows the body through `bytes`, which begin where the last call stopped.
    ///
    /// - Returns: how many of them belong to this message: all, unless it ends among them.
    /// - Throws: the rule that is broken. Forward none of `bytes`, and close; the decoder is of no use any more.
    /// - Complexity: O(bytes that are not chunk data).
    package mutating func consume(_ bytes: Span<UInt8>) throws(HTTP1Error) -> Int {
        var at = 0
        while at < bytes.count, state != .complete {
            if state == .data {
                let step = min(remaining, UInt64(bytes.count &- at))
                at &+= Int(step)
                payloadBytes &+= step
                remaining &-= step
                if remaining == 0 { state = .dataEnd }
            } else {
                try advance(over: bytes[at])
                at &+= 1
            }
        }
        return at
    }

    private mutating func advance(over byte: UInt8) throws(HTTP1Error) {
        switch state {
        case .size: try advanceSize(over: byte)
        case .sizeLineFeed:
            try expect(byte, .lineFeed, .bareCarriageReturn, then: remaining == 0 ? .trailerStart : .data)
        case .dataEnd: try expect(byte, .carriageReturn, .malformedChunkEnd, then: .dataLineFeed)
        case .dataLineFeed:
            try expect(byte, .lineFeed, .malformedChunkEnd, then: .size)
            digits = 0
            extensionBytes = 0
        case .trailerStart, .trailerName, .trailerValue, .trailerLineFeed: try advanceTrailer(over: byte)
        case .endLineFeed: try expect(byte, .lineFeed, .bareCarriageReturn, then: .complete)
        case .data, .complete: preconditionFailure("consume() handles these")
        default: try advanceExtension(over: byte)
        }
    }

    private mutating func expect(
        _ byte: UInt8, _ wanted: UInt8, _ error: HTTP1Error, then next: State
    ) throws(HTTP1Error) {
        guard byte == wanted else { throw error }
        state = next
    }

    /// One to sixteen hexadecimal digits and nothing else: no sign, no `0x`, no blank.
    private mutating func advanceSize(over byte: UInt8) throws(HTTP1Error) {
        if let digit = byte.hexadecimalValue {
            guard digits < 16 else { throw .chunkTooLarge }
            remaining = remaining &<< 4 | UInt64(digit)
            digits &+= 1
            return
        }
        guard digits > 0 else { throw .malformedChunkSize }
        // Many peers count signed: past 2^63 they see a negative size.
        guard remaining <= UInt64(Int64.max) else { throw .chunkTooLarge }
        switch byte {
        case .semicolon: state = .extensionStart
        case .carriageReturn: state = .sizeLineFeed
        case .lineFeed: throw .bareLineFeed
        default: throw .malformedChunkSize
        }
    }

    /// `;name`, `;name=token` or `;name="quoted"`, bounded, since no limit of the payload covers them.
    private mutating func advanceExtension(over byte: UInt8) throws(HTTP1Error) {
        extensionBytes &+= 1
        guard extensionBytes <= HTTP1.maximumChunkExtensionBytes else { throw .chunkExtensionTooLarge }
        let isToken = ByteClass.token.contains(byte)
        switch (state, byte) {
        case (.extensionStart, _) where isToken: state = .extensionName
        case (.extensionName, _) where isToken, (.extensionValue, _) where isToken: break
        case (.extensionName, .equals): state = .extensionValueStart
        case (.extensionValueStart, .quote): state = .extensionQuoted
        case (.extensionValueStart, _) where isToken: state = .extensionValue
        case (.extensionQuoted, .quote): state = .extensionQuotedEnd
        case (.extensionQuoted, .backslash): state = .extensionEscape
        case (.extensionQuoted, _) where byte.isText: break
        case (.extensionEscape, _) where byte.isText: state = .extensionQuoted
        case (.extensionName, .semicolon), (.extensionValue, .semicolon), (.extensionQuotedEnd, .semicolon):
            state = .extensionStart
        case (.extensionName, .carriageReturn), (.extensionValue, .carriageReturn),
            (.extensionQuotedEnd, .carriageReturn):
            state = .sizeLineFeed
        case (_, .lineFeed): throw .bareLineFeed
        default: throw .malformedChunkExtension
        }
    }

    /// The field lines after the last chunk, by the rules of a head's, and none that should have been in the head.
    private mutating func advanceTrailer(over byte: UInt8) throws(HTTP1Error) {
        trailerBytes &+= 1
        guard trailerBytes <= HTTP1.maximumTrailerBytes else { throw .trailersTooLarge }
        switch (state, byte) {
        case (.trailerStart, .carriageReturn): state = .endLineFeed
        case (.trailerStart, _) where ByteClass.token.contains(byte):
            trailerCount &+= 1
            guard trailerCount <= HTTP1.maximumFields else { throw .tooManyTrailers }
            trailerName = TrailerName()
            trailerName.append(byte)
            state = .trailerName
        case (.trailerName, .colon):
            guard !trailerName.isForbidden else { throw .forbiddenTrailer }
            state = .trailerValue
        case (.trailerName, _) where ByteClass.token.contains(byte): trailerName.append(byte)
        case (.trailerStart, _), (.trailerName, _):
            throw HTTP1.fieldNameError(byte, isAtStart: state == .trailerStart, isFirst: trailerCount == 0)
        case (.trailerValue, .carriageReturn): state = .trailerLineFeed
        case (.trailerValue, .lineFeed): throw .bareLineFeed
        case (.trailerValue, _): guard byte.isText else { throw .malformedFieldValue }
        default: try expect(byte, .lineFeed, .bareCarriageReturn, then: .trailerStart)
        }
    }
}

extension UInt8 {
    fileprivate var hexadecimalValue: UInt8? {
        if isDigit { return self &- 0x30 }
        let letter = (self | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : nil
    }
}
