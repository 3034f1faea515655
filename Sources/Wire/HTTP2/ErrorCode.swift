// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// Why a stream or connection ends (RFC 9113 §7). Any 32-bit number may come, and goes on as it is.
    package struct ErrorCode: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
        package let rawValue: UInt32

        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static var noError: ErrorCode { ErrorCode(rawValue: 0) }
        package static var protocolError: ErrorCode { ErrorCode(rawValue: 1) }
        package static var internalError: ErrorCode { ErrorCode(rawValue: 2) }
        package static var flowControlError: ErrorCode { ErrorCode(rawValue: 3) }
        package static var settingsTimeout: ErrorCode { ErrorCode(rawValue: 4) }
        package static var streamClosed: ErrorCode { ErrorCode(rawValue: 5) }
        package static var frameSizeError: ErrorCode { ErrorCode(rawValue: 6) }
        package static var refusedStream: ErrorCode { ErrorCode(rawValue: 7) }
        package static var cancel: ErrorCode { ErrorCode(rawValue: 8) }
        package static var compressionError: ErrorCode { ErrorCode(rawValue: 9) }
        package static var connectError: ErrorCode { ErrorCode(rawValue: 10) }
        package static var enhanceYourCalm: ErrorCode { ErrorCode(rawValue: 11) }
        package static var inadequateSecurity: ErrorCode { ErrorCode(rawValue: 12) }
        package static var http11Required: ErrorCode { ErrorCode(rawValue: 13) }
    }
}

/// A peer broke a rule that ends the whole connection: answer GOAWAY with ``code`` and close (RFC 9113 §5.4.1).
package struct HTTP2Error: Error, Hashable, Sendable, BitwiseCopyable {
    package let code: HTTP2.ErrorCode

    package init(_ code: HTTP2.ErrorCode) { self.code = code }
}

/// A peer broke a rule that ends one stream: answer RST_STREAM with ``code`` (RFC 9113 §5.4.2).
package struct HTTP2StreamError: Error, Hashable, Sendable, BitwiseCopyable {
    package let code: HTTP2.ErrorCode

    package init(_ code: HTTP2.ErrorCode) { self.code = code }
}
