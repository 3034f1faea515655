// SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite struct GRPCStatusTests {
    @Test(
        "names are Go's, and a code beyond them says its number",
        arguments: [
            (0, "OK"), (1, "Canceled"), (2, "Unknown"), (3, "InvalidArgument"), (4, "DeadlineExceeded"),
            (5, "NotFound"), (6, "AlreadyExists"), (7, "PermissionDenied"), (8, "ResourceExhausted"),
            (9, "FailedPrecondition"), (10, "Aborted"), (11, "OutOfRange"), (12, "Unimplemented"), (13, "Internal"),
            (14, "Unavailable"), (15, "DataLoss"), (16, "Unauthenticated"), (17, "Code(17)"), (666, "Code(666)"),
        ])
    func names(code: Int, name: String) {
        #expect(GRPCStatus.name(of: code) == name)
    }

    @Test("what the service is to blame for is a failure, what the caller asked wrongly is not")
    func failures() {
        let failures = GRPCStatus.allCases.filter(\.isFailure)
        #expect(failures == [.unknown, .deadlineExceeded, .internalError, .unavailable, .dataLoss])
    }

    @Test("what the mesh itself ends has the status that gRPC gives its cause")
    func reasons() {
        let reasons = Dictionary(grouping: Failure.Reason.allCases, by: \.grpcStatus)
        #expect(reasons[.permissionDenied] == [.policyDenied])
        #expect(reasons[.deadlineExceeded] == Failure.Reason.allCases.filter { $0.httpStatus == 504 })
        #expect(Set(reasons[.resourceExhausted] ?? []) == [.podLimit, .memoryLimit, .floodLimit, .headTooLarge])
        #expect(Set(reasons[.internalError] ?? []) == [.malformedMessage, .malformedResponse])
        #expect(Set(reasons[.canceled] ?? []) == [.requestCancelled, .downstreamReset])
        #expect(reasons[.ok] == nil)
        #expect(reasons[.unavailable]?.contains(.upstreamRefused) == true)
    }
}
