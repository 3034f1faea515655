// SPDX-License-Identifier: Apache-2.0

/// Why a message was refused: one case per rule, so that tests and debug logs can tell them apart.
///
/// After any of these the byte stream has no agreed position any more: answer ``httpStatus`` and close.
package enum HTTP1Error: UInt8, Error, CaseIterable, Sendable, BitwiseCopyable {
    // Start line
    case malformedMethod
    case malformedTarget
    case malformedStartLine
    case malformedVersion
    case unsupportedVersion
    case malformedStatus
    case tooManyEmptyLines

    // Lines and fields
    case bareLineFeed
    case bareCarriageReturn
    case blankBeforeFirstField
    case foldedLine
    case malformedFieldName
    case blankBeforeColon
    case malformedFieldValue
    case headTooLarge
    case tooManyFields

    // Whom it is for
    case missingHost
    case duplicateHost
    case malformedHost
    /// An absolute target names one host and the Host field another.
    case hostMismatch

    // How long it is
    case malformedContentLength
    case duplicateContentLength
    case malformedTransferEncoding
    case duplicateTransferEncoding
    case unknownTransferCoding
    case transferEncodingWithContentLength
    case transferEncodingInHTTP10
    /// A body is announced where none may be: CONNECT, 1xx, 204.
    case bodyNotAllowed
    /// `Connection` asks the next hop to drop a field that frames or routes the message.
    case forbiddenConnectionOption

    // Chunked bodies
    case malformedChunkSize
    case chunkTooLarge
    case malformedChunkExtension
    case chunkExtensionTooLarge
    case malformedChunkEnd
    case trailersTooLarge
    case tooManyTrailers
    case forbiddenTrailer
}

extension HTTP1Error {
    /// Whether a limit was passed rather than a rule broken.
    package var isTooLarge: Bool {
        switch self {
        case .headTooLarge, .tooManyFields, .trailersTooLarge, .tooManyTrailers: true
        default: false
        }
    }

    /// What to answer a request with. A response that breaks a rule is the upstream's fault: 502, whatever this says.
    package var httpStatus: UInt16 {
        switch self {
        case .unsupportedVersion: 505
        case .unknownTransferCoding: 501
        default: isTooLarge ? 431 : 400
        }
    }
}
