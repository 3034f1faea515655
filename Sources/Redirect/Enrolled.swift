// SPDX-License-Identifier: Apache-2.0

/// Which of a pod's two sides. Raw values are those of `Telemetry.Direction` and of `enum apus_direction`.
package enum CaptureDirection: UInt32, CaseIterable, Sendable {
    /// Connections to the pod.
    case inbound = 0
    /// Connections from the pod.
    case outbound = 1
}

/// A listener inside a pod's namespace.
package struct EnrolledListener: Hashable, Sendable {
    package let direction: CaptureDirection
    /// Borrowed: it stays open until the pod is withdrawn. Send it by `SCM_RIGHTS` or duplicate it; do not close it.
    package let descriptor: CInt
}

/// A pod whose connections are captured.
package struct Enrolled: Hashable, Sendable {
    /// The pod's place in the kernel's tables, in every tag and in every ``ConnectionStatistics``.
    package let slot: UInt32
    /// One for each direction; `[::]` and dual stack where the namespace knows IPv6.
    package let listeners: [EnrolledListener]
    /// Whether the pod's IPv6 connections are captured too.
    package let ipv6: Bool
    /// Whether the listeners were not made anew but were there before: handed back, or kept since the last call.
    package let adopted: Bool
}
