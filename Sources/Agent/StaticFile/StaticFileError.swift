// SPDX-License-Identifier: Apache-2.0

/// Why a configuration file cannot be used: every mistake that was found, each with its line.
package struct StaticFileError: Error, Equatable, CustomStringConvertible {
    package let path: String
    /// In order of the line.
    package let mistakes: [Mistake]

    /// One thing that is wrong.
    package struct Mistake: Hashable, Sendable {
        /// Counted from 1; 0 for the file as a whole.
        package let line: Int
        package let reason: String
    }

    /// `FILE:LINE: reason`, one to a line, the form that editors jump to.
    package var description: String {
        mistakes.map { $0.line > 0 ? "\(path):\($0.line): \($0.reason)" : "\(path): \($0.reason)" }
            .joined(separator: "\n")
    }
}
