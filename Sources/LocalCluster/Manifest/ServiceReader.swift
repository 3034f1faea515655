// SPDX-License-Identifier: Apache-2.0

/// Reads a `Service`.
enum ServiceReader {
    /// `nil`, with a notice, for a service that only points at a name elsewhere.
    static func read(
        _ document: YAMLField, _ namespace: String, _ name: String, _ notices: inout [String]
    ) throws(ManifestError) -> Manifest.ServiceObject? {
        let spec = try document.required("spec")
        switch try spec.text("type") ?? "ClusterIP" {
        case "ClusterIP": break
        case "NodePort", "LoadBalancer":
            notices.append("\(document.place): Service \(name) gets a cluster address only, no port on the nodes")
        case "ExternalName":
            notices.append("\(document.place): Service \(name) is ignored: ExternalName needs a DNS server")
            return nil
        case let other:
            throw document.place.error(
                "spec.type is \"\(other)\"", hint: "use ClusterIP, or leave it out")
        }
        var address = Manifest.ServiceObject.Address.any
        if let field = try spec.child("clusterIP") {
            let text = try field.text()
            address = text == "None" ? .none : .fixed(text)
        }
        let selector = try spec.texts("selector")
        if selector.isEmpty {
            notices.append("\(document.place): Service \(name) has no selector, so nothing answers for it")
        }
        var ports: [Manifest.ServiceObject.Port] = []
        for field in try spec.list("ports") {
            let portField = try field.required("port")
            let port = UInt16(try portField.number(in: 1...65535))
            let target = try field.child("targetPort")
            ports.append(
                .init(
                    name: try field.text("name") ?? "", port: port,
                    target: try target.map { target throws(ManifestError) in try reference(target) } ?? .number(port),
                    transport: try transport(field), place: field.place))
        }
        if ports.isEmpty, address != .none {
            throw document.place.error("Service \(name) has no ports", hint: "add spec.ports with a port each")
        }
        return Manifest.ServiceObject(
            namespace: namespace, name: name,
            annotations: try document.required("metadata").texts("annotations"),
            selector: selector, address: address, ports: ports, place: document.place)
    }

    /// A port's number or name.
    static func reference(_ field: YAMLField) throws(ManifestError) -> Manifest.PortReference {
        if field.isPlainNumber {
            return .number(UInt16(try field.number(in: 1...65535)))
        }
        return .name(try field.text())
    }

    /// `protocol`, TCP if not said.
    static func transport(_ field: YAMLField) throws(ManifestError) -> Manifest.Transport {
        guard let text = try field.text("protocol") else { return .tcp }
        guard let transport = Manifest.Transport(rawValue: text) else {
            throw field.error("has protocol \"\(text)\"", hint: "only TCP and UDP work here")
        }
        return transport
    }
}
