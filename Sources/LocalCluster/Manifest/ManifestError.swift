// SPDX-License-Identifier: Apache-2.0

/// What is wrong in a manifest: where, what, and what to try.
package struct ManifestError: Error, Hashable, CustomStringConvertible {
    /// The file as the user named it.
    package var file: String
    /// The line, from 1; 0 when the whole file is meant.
    package var line: Int
    package var reason: String
    /// What to try, as a clause; empty when the reason says it already.
    package var hint: String

    package init(file: String, line: Int, reason: String, hint: String = "") {
        self.file = file
        self.line = line
        self.reason = reason
        self.hint = hint
    }

    /// `app.yml:12: replicas is "many", not a whole number; write 0 or more`
    package var description: String {
        let place = line > 0 ? "\(file):\(line)" : file
        return hint.isEmpty ? "\(place): \(reason)" : "\(place): \(reason); \(hint)"
    }
}

/// A place in a manifest, for messages.
package struct ManifestLine: Codable, Hashable, Sendable, CustomStringConvertible {
    package var file: String
    package var line: Int

    package init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    package var description: String { "\(file):\(line)" }

    /// An error at this place.
    func error(_ reason: String, hint: String = "") -> ManifestError {
        ManifestError(file: file, line: line, reason: reason, hint: hint)
    }
}
