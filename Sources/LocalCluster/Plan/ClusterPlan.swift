// SPDX-License-Identifier: Apache-2.0

/// All that a cluster on this machine consists of, decided before anything is made: nodes, pods with their addresses,
/// services. Stored in the state directory, so that every later command knows what is there.
package struct ClusterPlan: Codable, Hashable, Sendable {
    package var nodes: [Node] = []
    package var pods: [Pod] = []
    package var services: [Service] = []
    /// Whether agents run. Without them pods talk plainly, through the services' virtual addresses.
    package var mesh = true
    package var notices: [String] = []

    package init() {}

    /// A network namespace that stands for a machine.
    package struct Node: Codable, Hashable, Sendable {
        package var name: String
        /// From 1; the third byte of its pods' addresses.
        package var index: Int

        /// The name of its network namespace.
        package var netns: String { "apus-\(name)" }
        /// Its address on the fabric that joins the nodes.
        package var fabricAddress: String { "\(AddressRanges.fabricPrefix).\(10 + index)" }
        package var podRange: String { "\(AddressRanges.podPrefix).\(index).0/24" }
        /// Its own address among its pods, their default route.
        package var gateway: String { "\(AddressRanges.podPrefix).\(index).1" }
        /// Where its agent answers.
        package var agent: String { "\(fabricAddress):4191" }
    }

    /// One pod.
    package struct Pod: Codable, Hashable, Sendable {
        package var uid: String
        package var namespace: String
        package var name: String
        /// `Deployment`, or empty for a pod of its own.
        package var ownerKind: String
        package var owner: String
        package var serviceAccount: String
        package var node: String
        /// The name of its network namespace.
        package var netns: String
        package var address: String
        package var hostname: String
        /// Whether its node's agent is told to enrol it.
        package var meshed: Bool
        /// `nil` for the well-known ones.
        package var opaquePorts: [String]?
        package var skipInboundPorts: [String]
        package var skipOutboundPorts: [String]
        /// `nil` for the default policy.
        package var policy: String?
        package var gracePeriod: Int
        package var containers: [Container]

        /// `namespace/name`
        package var qualifiedName: String { "\(namespace)/\(name)" }
    }

    /// One process of a pod.
    package struct Container: Codable, Hashable, Sendable {
        package var name: String
        /// The program and its arguments; a program without a slash is looked up in `searchPath`.
        package var arguments: [String]
        package var searchPath: String
        package var environment: [Manifest.Container.Variable]
        package var workingDirectory: String?
        /// How to find out whether it serves; `nil`: it does once it runs.
        package var probe: Probe?
    }

    /// A question to a container, asked from inside its pod.
    package struct Probe: Codable, Hashable, Sendable {
        package var port: UInt16
        /// The path to GET; `nil` for a connection alone.
        package var path: String?
        /// Seconds.
        package var initialDelay: Int
        package var period: Int
        package var timeout: Int
        /// How many failures in a row make it unready.
        package var failureThreshold: Int
    }

    /// One service.
    package struct Service: Codable, Hashable, Sendable {
        package var namespace: String
        package var name: String
        /// The virtual address; `nil` for a headless service.
        package var address: String?
        /// The pods it selects, by uid.
        package var pods: [String]
        package var ports: [Port]

        package struct Port: Codable, Hashable, Sendable {
            package var name: String
            package var port: UInt16
            package var transport: Manifest.Transport
            package var opaque: Bool
            package var targets: [Target]
        }

        /// A pod's port that answers.
        package struct Target: Codable, Hashable, Sendable {
            package var pod: String
            package var address: String
            package var port: UInt16
        }
    }
}

/// The address ranges of a local cluster: RFC 2544's test range for the fabric, Kubernetes' habits for the rest.
package enum AddressRanges {
    static let fabricPrefix = "198.18.0"
    static let podPrefix = "10.244"

    package static let fabric = "198.18.0.0/24"
    package static let pods = "10.244.0.0/16"
    package static let services = "10.96.0.0/16"
}
