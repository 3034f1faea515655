// SPDX-License-Identifier: Apache-2.0

/// The answer of an agent to `GET /api/v1/stat`: what its pods did in the last window.
package struct StatReport: Codable, Sendable, Equatable {
    package var node: String
    /// Seconds that the counts cover: less than was asked while the agent is young.
    package var windowSeconds: Double
    /// Every pod of the node, in the mesh or not, so that a silent workload still has a row.
    package var pods: [Pod]
    package var series: [Series]

    package init(node: String, windowSeconds: Double, pods: [Pod], series: [Series]) {
        self.node = node
        self.windowSeconds = windowSeconds
        self.pods = pods
        self.series = series
    }

    /// Who a pod is.
    package struct Pod: Codable, Sendable, Hashable {
        package var namespace: String
        package var name: String
        /// `Deployment`, `StatefulSet`... or empty.
        package var ownerKind: String
        package var owner: String
        package var node: String
        /// Whether the agent has it enrolled; false also for a pod that it could not enrol.
        package var meshed: Bool

        package init(
            namespace: String, name: String, ownerKind: String, owner: String, node: String, meshed: Bool
        ) {
            self.namespace = namespace
            self.name = name
            self.ownerKind = ownerKind
            self.owner = owner
            self.node = node
            self.meshed = meshed
        }
    }

    /// What one pod exchanged with one peer, in one direction.
    package struct Series: Codable, Sendable, Equatable {
        /// `inbound` or `outbound`.
        package var direction: String
        package var pod: Pod
        /// Who is at the other end, if the mesh knows.
        package var peer: Pod?
        /// `namespace/name` of the service that the downstream dialled, if it dialled one.
        package var service: String?
        /// The HTTP authority; empty for TCP.
        package var authority: String
        /// `local`, `true` or `disabled`.
        package var tls: String
        package var success: UInt64
        package var failure: UInt64
        /// Pairs of ``LatencyBins`` index and count, flattened: `[bin, count, bin, count, ...]`.
        package var latencyBins: [UInt64]
        /// Requests and streams that are open now.
        package var live: UInt64
        package var tcpOpenConnections: UInt64
        package var tcpReadBytes: UInt64
        package var tcpWriteBytes: UInt64

        package init(
            direction: String, pod: Pod, peer: Pod?, service: String?, authority: String, tls: String, success: UInt64,
            failure: UInt64, latencyBins: [UInt64], live: UInt64, tcpOpenConnections: UInt64, tcpReadBytes: UInt64,
            tcpWriteBytes: UInt64
        ) {
            self.direction = direction
            self.pod = pod
            self.peer = peer
            self.service = service
            self.authority = authority
            self.tls = tls
            self.success = success
            self.failure = failure
            self.latencyBins = latencyBins
            self.live = live
            self.tcpOpenConnections = tcpOpenConnections
            self.tcpReadBytes = tcpReadBytes
            self.tcpWriteBytes = tcpWriteBytes
        }
    }
}
