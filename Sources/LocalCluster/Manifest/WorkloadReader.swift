// SPDX-License-Identifier: Apache-2.0

/// Reads a `Pod` and what makes pods.
enum WorkloadReader {
    static func read(
        _ kind: Manifest.WorkloadObject.Kind, _ document: YAMLField, _ namespace: String, _ name: String,
        _ notices: inout [String]
    ) throws(ManifestError) -> Manifest.WorkloadObject {
        let spec = try document.required("spec")
        let template: Manifest.PodTemplate
        if kind == .pod {
            template = try podTemplate(document, &notices)
        } else {
            let field = try spec.required("template", hint: "a \(kind.rawValue) describes its pods there")
            template = try podTemplate(field, &notices)
            let selector = try spec.required("selector", hint: "add selector.matchLabels with the template's labels")
            for (key, value) in try selector.texts("matchLabels") where template.labels[key] != value {
                throw selector.error(
                    "wants \(key)=\(value), which the template's labels lack",
                    hint: "give both the same labels, as Kubernetes demands")
            }
        }
        return Manifest.WorkloadObject(
            kind: kind, namespace: namespace, name: name, replicas: try spec.number("replicas", in: 0...200) ?? 1,
            template: template, place: document.place)
    }

    private static func podTemplate(
        _ field: YAMLField, _ notices: inout [String]
    ) throws(ManifestError) -> Manifest.PodTemplate {
        let metadata = try field.child("metadata")
        let spec = try field.required("spec", hint: "it holds the pod's containers")
        for key in ["initContainers", "volumes", "hostNetwork"] {
            if let ignored = try spec.child(key) {
                notices.append("\(ignored.place): \(ignored.path) is ignored: `apus local` has nothing like it")
            }
        }
        let fields = try spec.list("containers")
        guard !fields.isEmpty else { throw spec.error("has no containers", hint: "add at least one") }
        var containers: [Manifest.Container] = []
        for field in fields {
            let container = try ContainerReader.read(field, &notices)
            guard !containers.contains(where: { $0.name == container.name }) else {
                throw field.error("is a second container named \(container.name)", hint: "rename one")
            }
            containers.append(container)
        }
        return Manifest.PodTemplate(
            labels: try metadata?.texts("labels") ?? [:], annotations: try metadata?.texts("annotations") ?? [:],
            serviceAccount: try spec.text("serviceAccountName") ?? "default", nodeName: try spec.text("nodeName"),
            hostname: try spec.text("hostname"),
            gracePeriod: try spec.number("terminationGracePeriodSeconds", in: 0...3600) ?? 30,
            containers: containers, place: field.place)
    }
}
