// SPDX-License-Identifier: Apache-2.0

/// How a cluster is, as its supervisor last wrote it.
package struct ClusterStatus: Codable, Hashable, Sendable {
    package var supervisor: Int32
    /// By uid.
    package var pods: [String: PodStatus] = [:]
    /// By node.
    package var agents: [String: ProcessStatus] = [:]

    package struct PodStatus: Codable, Hashable, Sendable {
        /// By container.
        package var containers: [String: ProcessStatus] = [:]

        package var ready: Bool { !containers.isEmpty && containers.values.allSatisfy(\.ready) }
        package var restarts: Int { containers.values.reduce(0) { $0 + $1.restarts } }
    }

    package struct ProcessStatus: Codable, Hashable, Sendable {
        /// `nil` while it is not running.
        package var pid: Int32?
        package var ready = false
        package var restarts = 0
        /// How it ended last time: `exit code 1`, `signal 9`.
        package var lastExit: String?
    }
}

/// Where commands find the agents of the local cluster: `cluster.json`.
package struct ClusterDirectory: Codable, Hashable, Sendable {
    package var nodes: [Node]

    package struct Node: Codable, Hashable, Sendable {
        package var name: String
        /// `address:port` of the agent; `nil` in a cluster without a mesh.
        package var agent: String?
    }
}
