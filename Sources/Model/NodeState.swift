// SPDX-License-Identifier: Apache-2.0

package import Addresses

/// All that one node's data plane must know: the desired state, whole.
///
/// Level-triggered: applying it twice changes nothing, and what is not in it goes away.
package struct NodeState: Hashable, Sendable {
    package var node: String
    /// Destinations that are captured: the cluster's pod and service ranges. Others keep native speed.
    package var meshedRanges: [IPPrefix]
    /// Pods of this node that are in the mesh.
    package var pods: [LocalPod]
    /// Every other workload worth a name: pods of other nodes, and pods of this one that are not in the mesh.
    package var workloads: [Workload]
    package var services: [Service]

    package init(
        node: String, meshedRanges: [IPPrefix] = [], pods: [LocalPod] = [], workloads: [Workload] = [],
        services: [Service] = []
    ) {
        self.node = node
        self.meshedRanges = meshedRanges
        self.pods = pods
        self.workloads = workloads
        self.services = services
    }
}
