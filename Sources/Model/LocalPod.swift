// SPDX-License-Identifier: Apache-2.0

/// A pod of this node that is to be in the mesh, and how it wants to be treated.
package struct LocalPod: Hashable, Sendable {
    package var workload: Workload
    /// The file that names its network namespace, for example `/run/netns/web` or `/proc/1234/ns/net`.
    package var networkNamespacePath: String
    /// Ports, its own and those it calls, whose bytes are relayed without looking at them.
    package var opaquePorts: PortSet
    /// Ports of the pod that are never captured inbound.
    package var skipInboundPorts: PortSet
    /// Destination ports that are never captured outbound.
    package var skipOutboundPorts: PortSet
    package var policy: InboundPolicy
    /// Whether traffic passes unseen, instead of being refused, while no proxy listens.
    package var failOpen: Bool
    /// The most connections the proxy holds for this pod, both directions together.
    package var connectionLimit: Int

    /// Kept well under the proxy's descriptor limit (65,536 by default) divided by two sides of a connection, so that
    /// one pod alone cannot exhaust it.
    package static let defaultConnectionLimit = 10_000

    package init(
        workload: Workload, networkNamespacePath: String, opaquePorts: PortSet = .init(),
        skipInboundPorts: PortSet = .init(), skipOutboundPorts: PortSet = .init(),
        policy: InboundPolicy = .allUnauthenticated, failOpen: Bool = false,
        connectionLimit: Int = LocalPod.defaultConnectionLimit
    ) {
        self.workload = workload
        self.networkNamespacePath = networkNamespacePath
        self.opaquePorts = opaquePorts
        self.skipInboundPorts = skipInboundPorts
        self.skipOutboundPorts = skipOutboundPorts
        self.policy = policy
        self.failOpen = failOpen
        self.connectionLimit = connectionLimit
    }
}

/// Who may connect to a pod, in the words of Linkerd's default inbound policy.
package enum InboundPolicy: String, CaseIterable, Sendable {
    /// Anyone who can reach it.
    case allUnauthenticated = "all-unauthenticated"
    /// Anyone inside the meshed ranges.
    case clusterUnauthenticated = "cluster-unauthenticated"
    /// Only peers whose identity the mesh knows: meshed pods of the same node for now.
    case allAuthenticated = "all-authenticated"
    /// Nobody.
    case deny = "deny"
}
