// SPDX-License-Identifier: Apache-2.0

/// The static file of a node's agent: the same that a user without a controller writes.
package enum NodeStateFile {
    /// The file's text. Endpoints of pods that are not in `ready`, by uid, are marked so.
    package static func text(for node: ClusterPlan.Node, in plan: ClusterPlan, ready: Set<String>) -> String {
        var lines = [
            "# Written by apus local. The agent reads it again when it changes.",
            "apiVersion: apus.io/v1alpha1",
            "kind: NodeState",
            "node: \(node.name)",
            "meshed: [\(quote(AddressRanges.pods)), \(quote(AddressRanges.services))]",
        ]
        let own = plan.pods.filter { $0.node == node.name && $0.meshed }
        lines.append(own.isEmpty ? "pods: []" : "pods:")
        for pod in own { lines += entry(pod) }
        let others = plan.pods.filter { $0.node != node.name || !$0.meshed }
        lines.append(others.isEmpty ? "workloads: []" : "workloads:")
        for pod in others { lines.append("  - {\(identity(pod)), meshed: \(pod.meshed)}") }
        let services = plan.services
        lines.append(services.isEmpty ? "services: []" : "services:")
        for service in services { lines += entry(service, ready) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func entry(_ pod: ClusterPlan.Pod) -> [String] {
        var lines = [
            "  - uid: \(pod.uid)",
            "    namespace: \(quote(pod.namespace))",
            "    name: \(quote(pod.name))",
        ]
        if let owner = owner(pod) { lines.append("    owner: \(owner)") }
        lines.append("    serviceAccount: \(quote(pod.serviceAccount))")
        lines.append("    netns: \(quote("/run/netns/\(pod.netns)"))")
        lines.append("    addresses: [\(quote(pod.address))]")
        if let ports = pod.opaquePorts { lines.append("    opaquePorts: [\(list(ports))]") }
        if !pod.skipInboundPorts.isEmpty { lines.append("    skipInboundPorts: [\(list(pod.skipInboundPorts))]") }
        if !pod.skipOutboundPorts.isEmpty { lines.append("    skipOutboundPorts: [\(list(pod.skipOutboundPorts))]") }
        if let policy = pod.policy { lines.append("    policy: \(policy)") }
        return lines
    }

    private static func identity(_ pod: ClusterPlan.Pod) -> String {
        let owner = owner(pod).map { "owner: \($0), " } ?? ""
        return "uid: \(pod.uid), namespace: \(quote(pod.namespace)), name: \(quote(pod.name)), \(owner)"
            + "node: \(pod.node), addresses: [\(quote(pod.address))]"
    }

    private static func owner(_ pod: ClusterPlan.Pod) -> String? {
        pod.ownerKind.isEmpty ? nil : "{kind: \(pod.ownerKind), name: \(quote(pod.owner))}"
    }

    private static func entry(_ service: ClusterPlan.Service, _ ready: Set<String>) -> [String] {
        var lines = [
            "  - namespace: \(quote(service.namespace))",
            "    name: \(quote(service.name))",
            "    addresses: [\(list(service.address.map { [$0] } ?? []))]",
        ]
        let ports = service.ports.filter { $0.transport == .tcp }
        lines.append(ports.isEmpty ? "    ports: []" : "    ports:")
        for port in ports {
            let endpoints = port.targets.map {
                "{address: \(quote("\($0.address):\($0.port)")), ready: \(ready.contains($0.pod))}"
            }.joined(separator: ", ")
            let name = port.name.isEmpty ? "" : "name: \(quote(port.name)), "
            lines.append("      - {\(name)port: \(port.port), opaque: \(port.opaque), endpoints: [\(endpoints)]}")
        }
        return lines
    }

    private static func list(_ texts: [String]) -> String { texts.map(quote).joined(separator: ", ") }

    /// Names are DNS labels and addresses here, so quotes need no escapes; they keep `on` and `1e3` texts.
    private static func quote(_ text: String) -> String { "\"\(text)\"" }
}
