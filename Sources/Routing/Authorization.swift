// SPDX-License-Identifier: Apache-2.0

package import Model

extension InboundPolicy {
    /// Whether a connection is let in.
    /// - `isIdentified`: the mesh knows who the peer is and the peer cannot have forged it.
    /// - `isInCluster`: its address lies in the meshed ranges.
    package func allows(isIdentified: Bool, isInCluster: Bool) -> Bool {
        switch self {
        case .allUnauthenticated: true
        case .clusterUnauthenticated: isIdentified || isInCluster
        case .allAuthenticated: isIdentified
        case .deny: false
        }
    }
}
