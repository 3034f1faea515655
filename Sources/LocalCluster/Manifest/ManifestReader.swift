// SPDX-License-Identifier: Apache-2.0

import Yams

/// Reads Kubernetes manifests, several documents to a file, into a ``Manifest``.
package struct ManifestReader {
    private var manifest = Manifest()
    /// `Kind/namespace/name` of every object so far, to find the second one of a name.
    private var seen: [String: ManifestLine] = [:]

    package init() {}

    /// Reads all `files`, in order.
    package static func read(_ files: [(name: String, text: String)]) throws(ManifestError) -> Manifest {
        var reader = ManifestReader()
        for file in files { try reader.add(file.text, name: file.name) }
        return reader.manifest
    }

    private mutating func add(_ text: String, name: String) throws(ManifestError) {
        let documents: [Node]
        do {
            var sequence = try Yams.compose_all(yaml: text)
            var nodes: [Node] = []
            while let node = sequence.next() { nodes.append(node) }
            if let error = sequence.error { throw error }
            documents = nodes
        } catch {
            throw ManifestReader.syntaxError(error, file: name)
        }
        for node in documents {
            if node.scalar?.string.isEmpty == true { continue }  // nothing between two `---`
            try add(YAMLField(node: node, file: name, path: ""))
        }
    }

    private mutating func add(_ document: YAMLField) throws(ManifestError) {
        let kind = try document.required("kind", hint: "every Kubernetes object has apiVersion, kind and metadata")
            .text()
        _ = try document.required("apiVersion", hint: "for a \(kind) write the one that kubectl explain shows").text()
        if kind == "List" {
            for item in try document.list("items") { try add(item) }
            return
        }
        guard ManifestReader.ignored[kind] != .silently else { return }
        let metadata = try document.required("metadata")
        let name = try ManifestReader.label(metadata.required("name"))
        let namespace = try metadata.child("namespace").map { field throws(ManifestError) in
            try ManifestReader.label(field)
        }
        let place = document.place
        let identity = "\(kind)/\(kind == "Namespace" ? "" : namespace ?? "default")/\(name)"
        if let first = seen.updateValue(place, forKey: identity) {
            throw place.error("\(kind) \(name) is there already, from \(first)", hint: "rename or remove one of them")
        }
        switch kind {
        case "Namespace":
            let annotations = try metadata.texts("annotations")
            manifest.namespaces.append(.init(name: name, annotations: annotations, place: place))
        case "Service":
            if let service = try ServiceReader.read(document, namespace ?? "default", name, &manifest.notices) {
                manifest.services.append(service)
            }
        default:
            guard let workload = Manifest.WorkloadObject.Kind(rawValue: kind) else {
                manifest.notices.append("\(place): \(kind) \(name) is ignored: `apus local` has no such kind")
                return
            }
            manifest.workloads.append(
                try WorkloadReader.read(workload, document, namespace ?? "default", name, &manifest.notices))
        }
    }

    private enum Treatment { case silently }

    /// Kinds that change nothing here: a pod has its service account's name without an object.
    private static let ignored: [String: Treatment] = ["ServiceAccount": .silently]

    /// A name that can be part of a DNS name (RFC 1123 §2.1, at most 63 characters).
    static func label(_ field: YAMLField) throws(ManifestError) -> String {
        let text = try field.text()
        let inside = text.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d }
        guard inside, (1...63).contains(text.utf8.count), text.first != "-", text.last != "-" else {
            throw field.error("is \"\(text)\"", hint: "use at most 63 of a-z, 0-9 and -, with no - at either end")
        }
        return text
    }

    private static func syntaxError(_ error: any Error, file: String) -> ManifestError {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ManifestError(
                file: file, line: mark.line, reason: "not YAML: \(problem)",
                hint: "look at indentation, quotes and colons there")
        case .duplicatedKeysInMapping(let keys, let context):
            ManifestError(
                file: file, line: context.mark.line,
                reason: "the same key twice in one mapping: \(keys.map { "\($0)" }.joined(separator: ", "))",
                hint: "remove one")
        default:
            ManifestError(file: file, line: 0, reason: "not YAML: \(error)", hint: "is it UTF-8 text?")
        }
    }
}
