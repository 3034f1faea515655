// SPDX-License-Identifier: Apache-2.0

/// Why a connection or request ended badly. Creating one does not allocate: refusing is as cheap as serving.
package struct Failure: Error, Hashable, Sendable {
    package let reason: Reason
    /// The kernel's own word for it when there was a system call, else 0.
    package let errno: Int32

    package init(_ reason: Reason, errno: Int32 = 0) {
        self.reason = reason
        self.errno = errno
    }

    /// One case per thing an operator would do differently.
    ///
    /// Raw values are API: the `reason` label of `apus_failures_total`, the `reason` log key, the `apus-proxy-error`
    /// header and the anchors in `docs/troubleshooting.md`. Add freely; never rename, never reuse.
    package enum Reason: String, CaseIterable, Sendable {
        case acceptExhausted = "accept_exhausted"
        case podLimit = "pod_limit"
        case memoryLimit = "memory_limit"
        case policyDenied = "policy_denied"
        case noRoute = "no_route"
        case noHealthyEndpoint = "no_healthy_endpoint"
        case connectRefused = "connect_refused"
        case connectTimeout = "connect_timeout"
        case connectFailed = "connect_failed"
        case upstreamReset = "upstream_reset"
        case upstreamClosed = "upstream_closed"
        case upstreamRefused = "upstream_refused"
        case downstreamReset = "downstream_reset"
        case requestCancelled = "request_cancelled"
        case malformedMessage = "malformed_message"
        case malformedResponse = "malformed_response"
        case headTooLarge = "head_too_large"
        case floodLimit = "flood_limit"
        case requestTimeout = "request_timeout"
        case drainDeadline = "drain_deadline"
    }
}

extension Failure.Reason {
    /// Whose side to look at first.
    package enum Side: String, Sendable {
        case downstream, upstream, mesh
    }

    /// Whose side to look at first.
    package var side: Side {
        switch self {
        case .downstreamReset, .requestCancelled, .malformedMessage, .headTooLarge, .floodLimit, .requestTimeout:
            .downstream
        case .connectRefused, .connectTimeout, .connectFailed, .upstreamReset, .upstreamClosed, .upstreamRefused,
            .malformedResponse:
            .upstream
        case .acceptExhausted, .podLimit, .memoryLimit, .policyDenied, .noRoute, .noHealthyEndpoint, .drainDeadline:
            .mesh
        }
    }

    /// Whether another endpoint may be tried: only if the application cannot have acted on the request, because no byte
    /// of it got there or because the peer says so (RFC 9113 §8.7).
    package var isSafeToRetry: Bool {
        switch self {
        case .connectRefused, .connectTimeout, .connectFailed, .upstreamRefused: true
        case .acceptExhausted, .podLimit, .memoryLimit, .policyDenied, .noRoute, .noHealthyEndpoint, .upstreamReset,
            .upstreamClosed, .downstreamReset, .requestCancelled, .malformedMessage, .malformedResponse, .headTooLarge,
            .floodLimit, .requestTimeout, .drainDeadline:
            false
        }
    }

    /// The HTTP status that tells a downstream (RFC 9110 §15).
    package var httpStatus: UInt16 {
        switch self {
        case .connectRefused, .connectFailed, .upstreamReset, .upstreamClosed, .malformedResponse, .noRoute: 502
        case .acceptExhausted, .podLimit, .memoryLimit, .noHealthyEndpoint, .upstreamRefused, .floodLimit,
            .drainDeadline:
            503
        case .connectTimeout: 504
        case .policyDenied: 403
        case .malformedMessage, .downstreamReset, .requestCancelled: 400
        case .requestTimeout: 408
        case .headTooLarge: 431
        }
    }
}
