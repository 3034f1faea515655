// SPDX-License-Identifier: Apache-2.0

/// Reads one container of a pod.
enum ContainerReader {
    static func read(_ field: YAMLField, _ notices: inout [String]) throws(ManifestError) -> Manifest.Container {
        var ports: [Manifest.ContainerPort] = []
        for port in try field.list("ports") {
            ports.append(
                .init(
                    name: try port.text("name") ?? "",
                    port: UInt16(try port.required("containerPort").number(in: 1...65535)),
                    transport: try ServiceReader.transport(port)))
        }
        for key in ["volumeMounts", "envFrom", "lifecycle"] {
            if let ignored = try field.child(key) {
                notices.append("\(ignored.place): \(ignored.path) is ignored: `apus local` has nothing like it")
            }
        }
        return Manifest.Container(
            name: try ManifestReader.label(field.required("name")),
            image: try field.required("image").text(),
            command: try texts(field, "command"), arguments: try texts(field, "args"),
            environment: try environment(field, &notices), workingDirectory: try field.text("workingDir"),
            ports: ports, readiness: try readiness(field, &notices), place: field.place)
    }

    private static func texts(_ field: YAMLField, _ key: String) throws(ManifestError) -> [String] {
        var result: [String] = []
        for element in try field.list(key) { result.append(try element.text()) }
        return result
    }

    private static func environment(
        _ field: YAMLField, _ notices: inout [String]
    ) throws(ManifestError) -> [Manifest.Container.Variable] {
        var result: [Manifest.Container.Variable] = []
        for variable in try field.list("env") {
            let name = try variable.required("name").text()
            guard try variable.child("valueFrom") == nil else {
                notices.append("\(variable.place): \(variable.path) (\(name)) is ignored: only `value` works here")
                continue
            }
            guard !name.isEmpty, !name.contains("="), !name.contains("\0") else {
                throw variable.error("has the name \"\(name)\"", hint: "use letters, digits and _")
            }
            result.append(.init(name: name, value: try variable.text("value") ?? ""))
        }
        return result
    }

    private static func readiness(
        _ field: YAMLField, _ notices: inout [String]
    ) throws(ManifestError) -> Manifest.Readiness? {
        guard let probe = try field.child("readinessProbe") else { return nil }
        let http = try probe.child("httpGet")
        let tcp = try probe.child("tcpSocket")
        guard let target = http ?? tcp else {
            notices.append("\(probe.place): \(probe.path) is ignored: only tcpSocket and httpGet work here")
            return nil
        }
        return Manifest.Readiness(
            port: try ServiceReader.reference(target.required("port")),
            path: http == nil ? nil : try target.text("path") ?? "/",
            initialDelay: try probe.number("initialDelaySeconds", in: 0...3600) ?? 0,
            period: try probe.number("periodSeconds", in: 1...3600) ?? 10,
            timeout: try probe.number("timeoutSeconds", in: 1...3600) ?? 1,
            failureThreshold: try probe.number("failureThreshold", in: 1...3600) ?? 3)
    }
}
