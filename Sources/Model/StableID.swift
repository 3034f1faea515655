// SPDX-License-Identifier: Apache-2.0

/// The 64-bit name of a workload or service: a hash of its unique text, so that the agent, the proxy and a restarted
/// agent mean the same thing by it without having to agree first.
///
/// FNV-1a of the pod's uid, or of `namespace/name` for a service. Zero means "none".
package struct StableID: Hashable, Sendable, BitwiseCopyable {
    /// The hash; zero for ``none``.
    package let rawValue: UInt64

    /// The identity of nothing: an unknown peer, no service.
    package static let none = StableID(rawValue: 0)

    /// An identity received from the other process.
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The identity of a pod uid or a `namespace/name`.
    package init(of text: some StringProtocol) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        rawValue = hash == 0 ? 1 : hash
    }
}
