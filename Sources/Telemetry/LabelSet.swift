// SPDX-License-Identifier: Apache-2.0

/// The labels of one series, rendered once: what a scrape writes between the braces.
///
/// Two series with the same text are the same series, so the text is also the key under which counts are kept.
package struct LabelSet: Hashable, Sendable {
    /// `name="value",name="value"`, without braces; empty for a series without labels.
    package private(set) var text: String

    /// The series without labels.
    package static let none = LabelSet(text: "")

    private init(text: String) { self.text = text }

    /// Labels in the given order. Empty values are left out: to Prometheus they mean the same.
    package init(_ pairs: [(name: String, value: String)]) {
        text = ""
        for pair in pairs { append(pair.name, pair.value) }
    }

    /// Adds a label, unless its value is empty.
    package mutating func append(_ name: String, _ value: String) {
        if value.isEmpty { return }
        if !text.isEmpty { text += "," }
        text += name
        text += "=\""
        text += LabelSet.escaped(value)
        text += "\""
    }

    /// This set with one more label.
    package func with(_ name: String, _ value: String) -> LabelSet {
        var copy = self
        copy.append(name, value)
        return copy
    }

    /// This set followed by another one, which must not have a name of this one.
    package func joined(_ other: LabelSet) -> LabelSet {
        if text.isEmpty || other.text.isEmpty { return LabelSet(text: text + other.text) }
        return LabelSet(text: "\(text),\(other.text)")
    }

    /// Backslash, quote and newline are escaped; other control characters, which a stranger's `Host` may contain and no
    /// dashboard can show, become a question mark.
    private static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f || $0 == 0x22 || $0 == 0x5c }) else { return value }
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            case let scalar where scalar.value < 0x20 || scalar.value == 0x7f: result += "?"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
