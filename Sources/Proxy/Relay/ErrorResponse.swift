// SPDX-License-Identifier: Apache-2.0

import Telemetry

/// What a downstream is told when the mesh, and not the application, has an answer for it.
enum ErrorResponse {
    /// A whole HTTP/1.1 response. The header `apus-proxy-error` tells it from the application's own, and its value is the
    /// section to read in `docs/troubleshooting.md`. The connection ends with it, because after an error the end of the
    /// request may not be known.
    static func bytes(status: UInt16, reason: Failure.Reason, withBody: Bool) -> [UInt8] {
        let body = "apus: \(reason.rawValue)\n"
        let head = """
            HTTP/1.1 \(status) \(phrase(status))\r
            apus-proxy-error: \(reason.rawValue)\r
            content-type: text/plain\r
            content-length: \(body.utf8.count)\r
            connection: close\r
            \r

            """
        return Array(head.utf8) + (withBody ? Array(body.utf8) : [])
    }

    /// RFC 9110 §15, RFC 6585 §5.
    private static func phrase(_ status: UInt16) -> String {
        switch status {
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 408: "Request Timeout"
        case 431: "Request Header Fields Too Large"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Error"
        }
    }
}
