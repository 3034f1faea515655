// SPDX-License-Identifier: Apache-2.0

import Yams

/// Collects mistakes while the rest of a file is read on, so that one run names them all.
final class MistakeList {
    private(set) var mistakes: [StaticFileError.Mistake] = []
    /// Beyond this a person mends the first ones and looks again.
    static let maximum = 20
    /// The longest reason, in Unicode scalars: enough for any name that may be, and what is said about it.
    static let maximumReason = 600
    /// How many more entries of lists may be read.
    private var entriesLeft: Int

    /// For a file of so many bytes. Without aliases it has fewer entries than bytes; with them, a list of lists of lists
    /// that each stand for another is a thousand times a thousand times a thousand entries in a few kilobytes.
    init(bytes: Int) { entriesLeft = bytes + 20_000 }

    /// Takes `count` entries from what may be read; false if that is too many.
    func takeEntries(_ count: Int) -> Bool {
        guard count <= entriesLeft else { return false }
        entriesLeft -= count
        return true
    }

    func add(_ reason: String, at node: Node) { add(reason, line: node.mark?.line ?? 0) }

    func add(_ reason: String, line: Int) {
        guard mistakes.count < MistakeList.maximum else { return }
        mistakes.append(.init(line: line, reason: MistakeList.printable(reason)))
    }

    /// One line of bearable length, whatever the file had in the place that the reason quotes.
    private static func printable(_ reason: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in reason.unicodeScalars.prefix(maximumReason) {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator:
                scalars.append(contentsOf: scalar.escaped(asASCII: true).unicodeScalars)
            default: scalars.append(scalar)
            }
        }
        return reason.unicodeScalars.count > maximumReason ? String(scalars) + "..." : String(scalars)
    }
}

/// One mapping of the file, with the names of the keys that it may have.
///
/// Every accessor notes what is wrong and returns `nil` or nothing: a caller that gets `nil` for something required goes
/// on, because a file with a mistake is never used.
struct YAMLSection {
    let node: Node
    /// What the mapping describes, for messages: `pod`, `service`.
    let subject: String
    let mistakes: MistakeList
    private var values: [String: Node] = [:]

    init?(_ node: Node, _ subject: String, keys: Set<String>, _ mistakes: MistakeList) {
        self.node = node
        self.subject = subject
        self.mistakes = mistakes
        guard case .mapping(let mapping) = node else {
            mistakes.add("\(subject) must be a mapping, not \(YAMLSection.kind(node))", at: node)
            return nil
        }
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key, keys.contains(scalar.string) else {
                let name = key.scalar?.string ?? YAMLSection.kind(key)
                mistakes.add(
                    "unknown key \"\(name)\" in \(subject); it may have \(keys.sorted().joined(separator: ", "))",
                    at: key)
                continue
            }
            values[scalar.string] = value
        }
    }

    /// The value of a key; a missing one is noted if it is required.
    func value(_ key: String, required: Bool = false) -> Node? {
        if let value = values[key], !value.isNull { return value }
        if required { mistakes.add("\(subject) needs \"\(key)\"", at: values[key] ?? node) }
        return nil
    }

    /// Text of at most 1,024 bytes without spaces and control characters.
    func text(_ key: String, required: Bool = false) -> String? {
        guard let value = value(key, required: required) else { return nil }
        return YAMLSection.text(value, "\"\(key)\" of \(subject)", mistakes)
    }

    /// The name of a Kubernetes object: as `text`, and without a slash.
    func name(_ key: String, required: Bool = false) -> String? {
        guard let text = text(key, required: required) else { return nil }
        // Bytes, because a slash with a combining mark is another character than a slash.
        guard text.utf8.count <= 253, !text.utf8.contains(0x2f) else {
            mistakes.add(
                "\"\(key)\" of \(subject) is not the name of a Kubernetes object: \"\(text)\"", at: values[key]!)
            return nil
        }
        return text
    }

    func flag(_ key: String) -> Bool? {
        guard let value = value(key) else { return nil }
        guard value.tag == Tag(.bool), let flag = value.bool else {
            mistakes.add("\"\(key)\" of \(subject) must be true or false", at: value)
            return nil
        }
        return flag
    }

    func number(_ key: String, in range: ClosedRange<Int>, required: Bool = false) -> Int? {
        guard let value = value(key, required: required) else { return nil }
        guard let number = value.scalar.flatMap({ Int($0.string) }), range.contains(number) else {
            mistakes.add(
                "\"\(key)\" of \(subject) must be a number from \(range.lowerBound) to \(range.upperBound)", at: value)
            return nil
        }
        return number
    }

    /// The elements of a list; none if the key is missing.
    func list(_ key: String, required: Bool = false, atMost limit: Int = .max) -> [Node]? {
        guard let value = value(key, required: required) else { return nil }
        guard case .sequence(let sequence) = value else {
            mistakes.add("\"\(key)\" of \(subject) must be a list, not \(YAMLSection.kind(value))", at: value)
            return nil
        }
        if sequence.count > limit {
            mistakes.add(
                "\"\(key)\" of \(subject) has \(sequence.count) entries; at most \(limit) are allowed", at: value)
            return nil
        }
        guard mistakes.takeEntries(sequence.count) else {
            mistakes.add("with \"\(key)\" of \(subject), aliases make too many entries; write them out", at: value)
            return nil
        }
        return Array(sequence)
    }

    /// The elements of a list of texts, each through `parse`; one that it refuses is noted as not being `what`.
    func list<Element>(
        _ key: String, of what: String, required: Bool = false, atMost limit: Int = .max,
        _ parse: (String) -> Element?
    ) -> [(node: Node, value: Element)]? {
        list(key, required: required, atMost: limit)?.compactMap { node in
            guard let text = node.scalar?.string, !node.isNull, let element = parse(text) else {
                let given = node.scalar.map { "\"\($0.string)\"" } ?? YAMLSection.kind(node)
                mistakes.add("\(given) in \"\(key)\" of \(subject) is not \(what)", at: node)
                return nil
            }
            return (node, element)
        }
    }

    static func text(_ value: Node, _ subject: String, _ mistakes: MistakeList) -> String? {
        guard let text = value.scalar?.string else {
            mistakes.add("\(subject) must be text, not \(kind(value))", at: value)
            return nil
        }
        guard !text.isEmpty, text.utf8.count <= 1024, text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
            mistakes.add("\(subject) must be 1 to 1024 bytes without spaces", at: value)
            return nil
        }
        return text
    }

    static func kind(_ node: Node) -> String {
        switch node {
        case .scalar: node.isNull ? "nothing" : "a single value"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}

extension Node {
    fileprivate var isNull: Bool { tag == Tag(.null) }
}
