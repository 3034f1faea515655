// SPDX-License-Identifier: Apache-2.0

/// What a set of Kubernetes manifests asks for, as far as `apus local` can give it.
package struct Manifest: Hashable, Sendable {
    package var namespaces: [Namespace] = []
    package var workloads: [WorkloadObject] = []
    package var services: [ServiceObject] = []
    /// What was read and not heeded, one sentence each with its place.
    package var notices: [String] = []

    /// A `Namespace`.
    package struct Namespace: Hashable, Sendable {
        package var name: String
        package var annotations: [String: String]
        package var place: ManifestLine
    }

    /// A `Pod`, or something that makes pods.
    package struct WorkloadObject: Hashable, Sendable {
        package var kind: Kind
        package var namespace: String
        package var name: String
        package var replicas: Int
        package var template: PodTemplate
        package var place: ManifestLine

        /// The kinds that pods are made from.
        package enum Kind: String, CaseIterable, Sendable {
            case pod = "Pod"
            case deployment = "Deployment"
            case statefulSet = "StatefulSet"
            /// One pod on each node.
            case daemonSet = "DaemonSet"
        }
    }

    /// What every pod of a workload is like.
    package struct PodTemplate: Hashable, Sendable {
        package var labels: [String: String]
        package var annotations: [String: String]
        package var serviceAccount: String
        /// `spec.nodeName`, for a pod that must be on one node.
        package var nodeName: String?
        package var hostname: String?
        /// Seconds between TERM and KILL.
        package var gracePeriod: Int
        package var containers: [Container]
        package var place: ManifestLine
    }

    /// One program of a pod.
    package struct Container: Hashable, Sendable {
        package var name: String
        package var image: String
        package var command: [String]
        package var arguments: [String]
        package var environment: [Variable]
        package var workingDirectory: String?
        package var ports: [ContainerPort]
        package var readiness: Readiness?
        package var place: ManifestLine

        package struct Variable: Codable, Hashable, Sendable {
            package var name: String
            package var value: String
        }
    }

    /// A `containerPort`.
    package struct ContainerPort: Hashable, Sendable {
        package var name: String
        package var port: UInt16
        package var transport: Transport
    }

    /// TCP or UDP; the raw value is what Kubernetes writes.
    package enum Transport: String, Codable, Hashable, Sendable {
        case tcp = "TCP"
        case udp = "UDP"
    }

    /// A port by number or by the name that a container gives it.
    package enum PortReference: Hashable, Sendable {
        case number(UInt16)
        case name(String)
    }

    /// A `readinessProbe`.
    package struct Readiness: Hashable, Sendable {
        package var port: PortReference
        /// The path to GET; `nil` for a probe that only connects.
        package var path: String?
        package var initialDelay: Int
        package var period: Int
        package var timeout: Int
        package var failureThreshold: Int
    }

    /// A `Service`.
    package struct ServiceObject: Hashable, Sendable {
        package var namespace: String
        package var name: String
        package var annotations: [String: String]
        package var selector: [String: String]
        package var address: Address
        package var ports: [Port]
        package var place: ManifestLine

        /// What `clusterIP` says.
        package enum Address: Hashable, Sendable {
            case any
            case none
            case fixed(String)
        }

        package struct Port: Hashable, Sendable {
            package var name: String
            package var port: UInt16
            package var target: PortReference
            package var transport: Transport
            package var place: ManifestLine
        }
    }
}
