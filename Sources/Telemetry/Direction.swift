// SPDX-License-Identifier: Apache-2.0

/// Which of a pod's two sides a measurement speaks of; the raw value is the `direction` label's index.
package enum Direction: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// To the pod.
    case inbound = 0
    /// From the pod.
    case outbound = 1

    /// The label's value, as Linkerd writes it.
    package var label: String { self == .inbound ? "inbound" : "outbound" }
}

/// How the bytes were protected; the raw value travels between processes.
package enum TransportSecurity: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// Plain TCP to or from a peer on another node or outside the mesh.
    case none = 0
    /// Both pods on this node: the bytes never left it, and the peer's identity is the namespace it came from.
    case local = 1
    /// Mutual TLS.
    case mutual = 2

    /// The `tls` label's value: `local` is ours, the others Linkerd's.
    package var label: String {
        switch self {
        case .none: "disabled"
        case .local: "local"
        case .mutual: "true"
        }
    }

    /// Whether `stat` counts it in its TLS column.
    package var isSecured: Bool { self != .none }
}
