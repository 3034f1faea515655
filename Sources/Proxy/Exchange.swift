// SPDX-License-Identifier: Apache-2.0

import ProxyLink
import Telemetry
import Wire

typealias ExchangeRef = UnsafeMutablePointer<Exchange>

/// One request and its response, or one opaque connection: where it goes, how it stands, what is counted of it.
///
/// In HTTP/1 a session has one, in HTTP/2 every stream.
struct Exchange {
    // MARK: Where it goes

    /// The endpoint, as the index that the target's balancer has for it; means something while ``hasCandidate``.
    var candidate = 0
    var hasCandidate = false
    /// Whether it holds a `pending` of its target's balancer at ``candidate``.
    var holdsCandidate = false
    /// How many endpoints have failed for it.
    var attempts: UInt8 = 0
    /// Candidates that failed for it, a bit each.
    var avoiding: UInt64 = 0

    // MARK: How it stands

    var isActive = false
    /// The final response's head has gone to the downstream.
    var hasBegun = false
    var status: UInt16 = 0
    /// What gRPC's trailers said.
    var grpcStatus = GRPC.noStatus
    /// Why it ended badly, if it did.
    var failure: Failure.Reason?
    /// The HTTP/2 code with which it was reset, if it was.
    var resetCode: UInt32?

    // MARK: What is counted

    /// Nanoseconds of the monotonic clock.
    var started: UInt64 = 0
    var responded: UInt64 = 0
    /// Nanoseconds inside the proxy so far.
    var overhead: UInt64 = 0
    /// Bytes of the response's body so far.
    var bodyBytes: UInt64 = 0
    var series: HTTPSeriesRef?
    var inboundSeries: HTTPSeriesRef?
    /// Taps that want it: a bit per tap for the source's view and the destination's.
    var tap = TapMarks()

    /// A new request begins.
    mutating func begin(at now: UInt64) {
        self = Exchange()
        started = now
        isActive = true
    }
}

extension UnsafeMutablePointer where Pointee == Session {
    /// The session's own exchange. Sessions never move, so it stays where it is as long as the session does.
    var exchange: ExchangeRef { withUnsafeMutablePointer(to: &pointee.exchange) { $0 } }
}
