// SPDX-License-Identifier: Apache-2.0

/// HTTP/2's error codes as people know them (RFC 9113 §7).
enum HTTP2Code {
    private static let names = [
        "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
        "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]

    /// The code's name, or its number if it has none.
    static func name(of code: UInt32) -> String { code < names.count ? names[Int(code)] : "\(code)" }
}
