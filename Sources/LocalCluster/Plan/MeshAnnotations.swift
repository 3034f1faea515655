// SPDX-License-Identifier: Apache-2.0

import Model

/// The annotations by which a namespace, a pod or a service says how the mesh treats it. Ours win over Linkerd's, a
/// pod's over its namespace's.
struct MeshAnnotations {
    private let levels: [[String: String]]
    private let place: ManifestLine

    /// - Parameter levels: the nearest first.
    init(_ levels: [[String: String]], at place: ManifestLine) {
        self.levels = levels
        self.place = place
    }

    /// Whether the pod is to be in the mesh.
    func isInjected() throws(ManifestError) -> Bool {
        guard let (key, value) = first(["apus.io/inject", "linkerd.io/inject"]) else { return false }
        switch value {
        case "enabled", "ingress": return true
        case "disabled": return false
        default: throw place.error("annotation \(key) is \"\(value)\"", hint: "write enabled or disabled")
        }
    }

    /// Ports and ranges as texts; `nil` if nothing is said.
    func ports(_ name: String) throws(ManifestError) -> [String]? {
        guard let (key, value) = first(["apus.io/\(name)", "config.linkerd.io/\(name)"]) else { return nil }
        var result: [String] = []
        for part in value.split(separator: ",") {
            let text = part.filter { $0 != " " }
            guard PortSet.range(text) != nil else {
                throw place.error(
                    "annotation \(key) has \"\(text)\", which is no port", hint: "write ports and ranges: 25,4000-4010")
            }
            result.append(text)
        }
        return result
    }

    /// The inbound policy; `nil` if nothing is said.
    func policy() throws(ManifestError) -> String? {
        let name = "default-inbound-policy"
        guard let (key, value) = first(["apus.io/\(name)", "config.linkerd.io/\(name)"]) else { return nil }
        guard InboundPolicy(rawValue: value) != nil else {
            let known = InboundPolicy.allCases.map(\.rawValue).joined(separator: ", ")
            throw place.error("annotation \(key) is \"\(value)\"", hint: "use one of \(known)")
        }
        return value
    }

    private func first(_ keys: [String]) -> (key: String, value: String)? {
        for level in levels {
            for key in keys { if let value = level[key] { return (key, value) } }
        }
        return nil
    }
}
