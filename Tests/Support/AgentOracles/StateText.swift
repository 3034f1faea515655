// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model

/// Writes a state as a configuration file, every text quoted and escaped, to be read back as the same state.
enum StateText {
    static func yaml(_ state: NodeState) -> String {
        mapping([
            ("apiVersion", "apus.io/v1alpha1"), ("kind", "NodeState"), ("node", quoted(state.node)),
            ("meshed", list(state.meshedRanges) { quoted($0.description) }),
            ("pods", list(state.pods, pod)), ("workloads", list(state.workloads, workload)),
            ("services", list(state.services, service)),
        ])
    }

    private static func pod(_ pod: LocalPod) -> String {
        let ports = { (ports: PortSet) in list(ports.ranges) { "\($0.lowerBound)-\($0.upperBound)" } }
        return mapping(
            identity(pod.workload) + [
                ("netns", quoted(pod.networkNamespacePath)), ("opaquePorts", ports(pod.opaquePorts)),
                ("skipInboundPorts", ports(pod.skipInboundPorts)), ("skipOutboundPorts", ports(pod.skipOutboundPorts)),
                ("policy", pod.policy.rawValue), ("failOpen", "\(pod.failOpen)"),
                ("connectionLimit", "\(pod.connectionLimit)"),
            ])
    }

    private static func workload(_ workload: Workload) -> String {
        mapping(
            identity(workload) + [("meshed", "\(workload.meshed)")]
                + (workload.node.isEmpty ? [] : [("node", quoted(workload.node))]))
    }

    private static func identity(_ workload: Workload) -> [(String, String)] {
        let owner = workload.owner
        return [
            ("uid", quoted(workload.uid)), ("namespace", quoted(workload.namespace)), ("name", quoted(workload.name)),
            ("serviceAccount", quoted(workload.serviceAccount)),
            ("addresses", list(workload.addresses) { quoted($0.description) }),
        ] + (owner == .none ? [] : [("owner", mapping([("kind", owner.kind.rawValue), ("name", quoted(owner.name))]))])
    }

    private static func service(_ service: Service) -> String {
        mapping([
            ("namespace", quoted(service.namespace)), ("name", quoted(service.name)),
            ("addresses", list(service.addresses) { quoted($0.description) }), ("ports", list(service.ports, port)),
        ])
    }

    private static func port(_ port: Service.Port) -> String {
        let endpoint = { (endpoint: Endpoint) in
            mapping([("address", quoted(endpoint.address.description)), ("ready", "\(endpoint.ready)")])
        }
        return mapping(
            [("port", "\(port.port)"), ("opaque", "\(port.opaque)"), ("endpoints", list(port.endpoints, endpoint))]
                + (port.name.isEmpty ? [] : [("name", quoted(port.name))]))
    }

    // MARK: YAML

    private static func mapping(_ pairs: [(String, String)]) -> String {
        "{" + pairs.map { "\($0): \($1)" }.joined(separator: ", ") + "}"
    }

    private static func list<Element>(_ elements: [Element], _ text: (Element) -> String) -> String {
        "[" + elements.map(text).joined(separator: ", ") + "]"
    }

    private static func quoted(_ text: String) -> String {
        "\""
            + text.unicodeScalars.map { scalar in
                let isPlain = scalar.isASCII && scalar.value > 0x20 && scalar != "\"" && scalar != "\\"
                return isPlain ? String(scalar) : "\\U" + String(UInt64(scalar.value) | 1 << 32, radix: 16).suffix(8)
            }.joined() + "\""
    }
}
