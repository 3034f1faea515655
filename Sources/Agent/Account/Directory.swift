// SPDX-License-Identifier: Apache-2.0

package import Addresses
package import Model
package import Telemetry

/// Whom the identities and addresses that the proxy reports belong to, now and a while ago: a pod's last counts arrive
/// after it has gone.
package struct Directory: Sendable {
    /// How long a workload that left the configuration is remembered, in seconds: the longest window that can be asked.
    package static let memorySeconds = 600.0

    package private(set) var node = ""
    private var workloads: [StableID: Entry<Workload>] = [:]
    private var services: [StableID: Entry<Service>] = [:]
    private var byAddress: [IPAddress: StableID] = [:]
    /// Pods of this node that are in the mesh or were a while ago: the only ones that counts may be about.
    private var local: Set<StableID> = []
    /// This node's pods in the order of the configuration, meshed or not.
    private var nodePods: [StableID] = []
    /// Raised by every change: what was resolved before may resolve differently now.
    package private(set) var generation = 0

    private struct Entry<Value: Sendable>: Sendable {
        var value: Value
        /// When it left the configuration.
        var goneAt: Double?
    }

    package init() {}

    /// Takes over a configuration. `now` is any clock in seconds that does not step back.
    package mutating func replace(with state: NodeState, at now: Double) {
        generation += 1
        node = state.node
        let current = state.pods.map(\.workload) + state.workloads
        Directory.merge(&workloads, current.map { ($0.id, $0) }, now)
        Directory.merge(&services, state.services.map { ($0.id, $0) }, now)
        byAddress = [:]
        for workload in current.reversed() {
            for address in workload.addresses { byAddress[address] = workload.id }
        }
        local.formUnion(state.pods.map(\.workload.id))
        local.formIntersection(workloads.keys)
        nodePods = state.pods.map(\.workload.id) + state.workloads.filter { $0.node == state.node }.map(\.id)
    }

    private static func merge<Value>(
        _ entries: inout [StableID: Entry<Value>], _ current: [(StableID, Value)], _ now: Double
    ) {
        entries = entries.compactMapValues { entry in
            var entry = entry
            if entry.goneAt == nil { entry.goneAt = now }
            return now - (entry.goneAt ?? now) > memorySeconds ? nil : entry
        }
        for (id, value) in current { entries[id] = Entry(value: value) }
    }

    package func workload(_ id: StableID) -> Workload? { workloads[id]?.value }
    package func service(_ id: StableID) -> Service? { services[id]?.value }
    package func workload(at address: IPAddress) -> Workload? { byAddress[address].flatMap { workload($0) } }
    package func isLocal(_ id: StableID) -> Bool { local.contains(id) }
    package var podsOfNode: [Workload] { nodePods.compactMap { workload($0) } }
    package var localPods: [Workload] { nodePods.filter { isLocal($0) }.compactMap { workload($0) } }

    /// Every workload of the current configuration that `matches` accepts.
    package func workloads(where matches: (Workload) -> Bool) -> [Workload] {
        workloads.values.filter { $0.goneAt == nil && matches($0.value) }.map(\.value)
    }
}

extension StatReport.Pod {
    /// How reports describe a workload.
    package init(_ workload: Workload, meshed: Bool) {
        self.init(
            namespace: workload.namespace, name: workload.name, ownerKind: workload.owner.kind.rawValue,
            owner: workload.owner.name, node: workload.node, meshed: meshed)
    }
}
