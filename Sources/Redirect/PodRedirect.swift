// SPDX-License-Identifier: Apache-2.0

package import Addresses

/// A pod as interception sees it.
package struct PodRedirect: Hashable, Sendable {
    /// Unique and stable for the pod's life; at most 127 bytes.
    package var uid: String
    /// The file that names the pod's network namespace; at most 255 bytes.
    package var networkNamespacePath: String
    /// The pod's own addresses, at least one and at most 16. The first of each family is the source of captured SYNs.
    package var addresses: [IPAddress]
    /// The pod's ports that are never captured.
    package var skipInbound: [ClosedRange<UInt16>]
    /// Destination ports that are never captured.
    package var skipOutbound: [ClosedRange<UInt16>]
    /// Whether traffic passes unseen, instead of being refused, while nobody listens.
    package var failOpen: Bool

    package init(
        uid: String, networkNamespacePath: String, addresses: [IPAddress], skipInbound: [ClosedRange<UInt16>] = [],
        skipOutbound: [ClosedRange<UInt16>] = [], failOpen: Bool = false
    ) {
        self.uid = uid
        self.networkNamespacePath = networkNamespacePath
        self.addresses = addresses
        self.skipInbound = skipInbound
        self.skipOutbound = skipOutbound
        self.failOpen = failOpen
    }
}
