// SPDX-License-Identifier: Apache-2.0

/// One line of the NDJSON stream that an agent answers to `GET /api/v1/tap`.
package struct TapReport: Codable, Sendable, Equatable {
    package var kind: Kind
    /// Unique in the cluster: `base` names the proxy worker, `stream` the request or connection in it.
    package var base: UInt32
    package var stream: UInt64
    /// `inbound` or `outbound`: whose view it is.
    package var direction: String
    /// `ip:port`.
    package var source: String
    package var destination: String
    package var sourcePod: StatReport.Pod?
    package var destinationPod: StatReport.Pod?
    /// `local`, `true` or `disabled`.
    package var tls: String

    /// `req`
    package var method: String?
    package var authority: String?
    package var path: String?
    /// `rsp`
    package var status: UInt16?
    /// `rsp`: from the request's head to the response's head, in microseconds.
    package var latencyMicroseconds: UInt64?
    /// `end` and `close`: from the response's head, or the opening, to the end, in microseconds.
    package var durationMicroseconds: UInt64?
    /// `end`: body bytes of the response.
    package var responseBytes: UInt64?
    /// `end`: the code of ``GRPCStatus`` if it was a gRPC call.
    package var grpcStatus: UInt8?
    /// `end`: the HTTP/2 error code if the stream was reset.
    package var resetCode: UInt32?
    /// `end`, `close`: the reason of ``Failure/Reason`` if it ended badly.
    package var error: String?
    /// `close`: bytes from the downstream and to it.
    package var readBytes: UInt64?
    package var writeBytes: UInt64?
    /// `dropped`: events left out since the last such line, because of the rate cap or a full buffer.
    package var dropped: UInt64?

    /// What happened.
    package enum Kind: String, Codable, Sendable {
        case request = "req"
        case response = "rsp"
        case end
        case open
        case close
        case dropped
    }

    package init(
        kind: Kind, base: UInt32, stream: UInt64, direction: String, source: String, destination: String, tls: String
    ) {
        self.kind = kind
        self.base = base
        self.stream = stream
        self.direction = direction
        self.source = source
        self.destination = destination
        self.tls = tls
    }
}
