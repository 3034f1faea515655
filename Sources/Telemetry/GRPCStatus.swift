// SPDX-License-Identifier: Apache-2.0

/// How a call ended, as its `grpc-status` trailer says (gRPC's doc/statuscodes.md).
package enum GRPCStatus: UInt8, CaseIterable, Sendable {
    case ok = 0
    case canceled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied
    case resourceExhausted, failedPrecondition, aborted, outOfRange, unimplemented, internalError, unavailable
    case dataLoss, unauthenticated

    /// What Go prints, and Linkerd with it.
    package var name: String {
        switch self {
        case .ok: "OK"
        case .canceled: "Canceled"
        case .unknown: "Unknown"
        case .invalidArgument: "InvalidArgument"
        case .deadlineExceeded: "DeadlineExceeded"
        case .notFound: "NotFound"
        case .alreadyExists: "AlreadyExists"
        case .permissionDenied: "PermissionDenied"
        case .resourceExhausted: "ResourceExhausted"
        case .failedPrecondition: "FailedPrecondition"
        case .aborted: "Aborted"
        case .outOfRange: "OutOfRange"
        case .unimplemented: "Unimplemented"
        case .internalError: "Internal"
        case .unavailable: "Unavailable"
        case .dataLoss: "DataLoss"
        case .unauthenticated: "Unauthenticated"
        }
    }

    /// The name of a code that may be none of the seventeen: `Code(666)` then.
    package static func name(of code: some BinaryInteger) -> String {
        UInt8(exactly: code).flatMap(GRPCStatus.init(rawValue:))?.name ?? "Code(\(code))"
    }

    /// Linkerd's rule: the service is to blame, not the caller's request.
    package var isFailure: Bool {
        switch self {
        case .unknown, .deadlineExceeded, .internalError, .unavailable, .dataLoss: true
        case .ok, .canceled, .invalidArgument, .notFound, .alreadyExists, .permissionDenied, .resourceExhausted,
            .failedPrecondition, .aborted, .outOfRange, .unimplemented, .unauthenticated:
            false
        }
    }
}

extension Failure.Reason {
    /// What a gRPC downstream is told when the mesh itself ends its call.
    package var grpcStatus: GRPCStatus {
        switch self {
        case .policyDenied: .permissionDenied
        case .connectTimeout: .deadlineExceeded
        case .podLimit, .memoryLimit, .floodLimit, .headTooLarge: .resourceExhausted
        case .malformedMessage, .malformedResponse: .internalError
        // Nobody is left to read it; it is what the caller's own library reports.
        case .requestCancelled, .downstreamReset: .canceled
        case .acceptExhausted, .noRoute, .noHealthyEndpoint, .connectRefused, .connectFailed, .upstreamReset,
            .upstreamClosed, .upstreamRefused, .requestTimeout, .drainDeadline:
            .unavailable
        }
    }
}
