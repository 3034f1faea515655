// SPDX-License-Identifier: Apache-2.0

import Yams

/// One node of a YAML document that knows where it stands, so that every complaint has a file, a line and a path.
struct YAMLField {
    let node: Node
    let file: String
    /// The way from the document's root: `spec.template.spec.containers[0].env`.
    let path: String

    var place: ManifestLine { ManifestLine(file: file, line: node.mark?.line ?? 0) }

    /// An error about this field.
    func error(_ reason: String, hint: String = "") -> ManifestError {
        place.error("\(path.isEmpty ? "the document" : path) \(reason)", hint: hint)
    }

    /// The value under `key`; `nil` if it is absent or null. Throws if this field is no mapping.
    func child(_ key: String) throws(ManifestError) -> YAMLField? {
        guard let mapping = node.mapping else { throw error("is \(shape), not a mapping of names to values") }
        guard let value = mapping[Node(key)], !value.isNull else { return nil }
        return YAMLField(node: value, file: file, path: path.isEmpty ? key : "\(path).\(key)")
    }

    /// The value at the end of a way of keys.
    func child(_ keys: [String]) throws(ManifestError) -> YAMLField? {
        var field: YAMLField? = self
        for key in keys { field = try field?.child(key) }
        return field
    }

    /// The value under `key`, which must be there.
    func required(_ key: String, hint: String = "") throws(ManifestError) -> YAMLField {
        guard let field = try child(key) else { throw error("has no `\(key)`", hint: hint) }
        return field
    }

    /// The elements of a list.
    func elements() throws(ManifestError) -> [YAMLField] {
        guard let sequence = node.sequence else {
            throw error("is \(shape), not a list", hint: "start each line with `- `")
        }
        return sequence.enumerated().map { YAMLField(node: $1, file: file, path: "\(path)[\($0)]") }
    }

    /// The elements of the list under `key`; none if it is absent.
    func list(_ key: String) throws(ManifestError) -> [YAMLField] { try child(key)?.elements() ?? [] }

    /// A text. A plain number, `true` or `~` is refused as Kubernetes refuses it.
    func text() throws(ManifestError) -> String {
        guard let scalar = node.scalar else { throw error("is \(shape), not a text") }
        // Yams takes more words for numbers than YAML does: `infinity`, `nan`.
        let isFloat = node.float != nil && scalar.string.contains { $0.isNumber || $0 == "." }
        if scalar.style == .plain, node.int != nil || isFloat || node.bool != nil {
            throw error(
                "is \(scalar.string), which YAML does not read as a text", hint: "quote it: \"\(scalar.string)\"")
        }
        return scalar.string
    }

    func text(_ key: String) throws(ManifestError) -> String? { try child(key)?.text() }

    /// A whole number within `range`.
    func number(in range: ClosedRange<Int>) throws(ManifestError) -> Int {
        guard let scalar = node.scalar, scalar.style == .plain, let value = node.int, range.contains(value) else {
            throw error(
                "is \(shape), not a whole number",
                hint: "write a number from \(range.lowerBound) to \(range.upperBound), without quotes")
        }
        return value
    }

    func number(_ key: String, in range: ClosedRange<Int>) throws(ManifestError) -> Int? {
        try child(key)?.number(in: range)
    }

    /// A mapping of texts: labels, annotations, selectors.
    func texts(_ key: String) throws(ManifestError) -> [String: String] {
        guard let field = try child(key) else { return [:] }
        guard let mapping = field.node.mapping else { throw field.error("is \(field.shape), not a mapping") }
        var result: [String: String] = [:]
        for (name, value) in mapping {
            guard let name = name.scalar?.string else { throw field.error("has a key that is not a text") }
            result[name] = try YAMLField(node: value, file: file, path: "\(field.path).\(name)").text()
        }
        return result
    }

    /// Whether YAML reads it as a whole number.
    var isPlainNumber: Bool { node.scalar?.style == .plain && node.int != nil }

    /// What the node is, in the words of an error message.
    private var shape: String {
        switch node {
        case .scalar(let scalar): "\"\(scalar.string)\""
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}

extension Node {
    /// `~`, `null` and nothing at all. A quoted "null" is a text.
    fileprivate var isNull: Bool {
        guard let scalar, scalar.style == .plain else { return false }
        return null != nil
    }
}
