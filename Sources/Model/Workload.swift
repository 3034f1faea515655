// SPDX-License-Identifier: Apache-2.0

package import Addresses

/// A pod, as a peer sees it: who it is and where.
package struct Workload: Hashable, Sendable {
    /// The pod's uid as Kubernetes gives it.
    package var uid: String
    package var namespace: String
    package var name: String
    /// What the pod belongs to.
    package var owner: Owner
    package var serviceAccount: String
    /// The node it runs on; empty if not known.
    package var node: String
    /// All of its addresses, IPv4 in mapped form.
    package var addresses: [IPAddress]
    /// Whether its node's agent captures its traffic.
    package var meshed: Bool

    package init(
        uid: String, namespace: String, name: String, owner: Owner = .none, serviceAccount: String = "default",
        node: String = "", addresses: [IPAddress] = [], meshed: Bool = true
    ) {
        self.uid = uid
        self.namespace = namespace
        self.name = name
        self.owner = owner
        self.serviceAccount = serviceAccount
        self.node = node
        self.addresses = addresses
        self.meshed = meshed
    }

    /// The identity used between processes.
    package var id: StableID { StableID(of: uid) }

    /// The root owner of a pod: a Deployment rather than its ReplicaSet.
    package struct Owner: Hashable, Sendable {
        package var kind: Kind
        package var name: String

        package init(_ kind: Kind, _ name: String) {
            self.kind = kind
            self.name = name
        }

        /// A pod that nothing owns.
        package static let none = Owner(.none, "")

        /// The kinds that metrics have a label for; the raw value is the Kubernetes kind.
        package enum Kind: String, CaseIterable, Sendable {
            case none = ""
            case deployment = "Deployment"
            case replicaSet = "ReplicaSet"
            case statefulSet = "StatefulSet"
            case daemonSet = "DaemonSet"
            case job = "Job"
            case cronJob = "CronJob"
            case replicationController = "ReplicationController"

            /// The metric label that carries the owner's name, as Linkerd spells it; `nil` for an unowned pod.
            package var label: String? {
                switch self {
                case .none: nil
                case .deployment: "deployment"
                case .replicaSet: "replicaset"
                case .statefulSet: "statefulset"
                case .daemonSet: "daemonset"
                case .job: "k8s_job"
                case .cronJob: "cronjob"
                case .replicationController: "replicationcontroller"
                }
            }
        }
    }
}
