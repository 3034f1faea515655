// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What stands for a container image on this machine: a program, or a directory of programs.
package struct ImageMap: Hashable, Sendable {
    /// Image names without registry, tag or digest, and absolute paths.
    private var paths: [String: String]

    /// A map with the sample application's image at `programDirectory`, where `make build` puts all programs.
    package init(programDirectory: String) {
        paths = ["apus-emojivoto": "\(programDirectory)/emojivoto"]
    }

    /// Adds `NAME=PATH`; a path may be relative to the current directory. `nil` if it has no `=` or nothing is there.
    package mutating func add(_ assignment: String) -> Bool {
        guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else { return false }
        let path = URL(fileURLWithPath: String(assignment[assignment.index(after: equals)...])).standardizedFileURL.path
        guard FileManager.default.fileExists(atPath: path) else { return false }
        paths[ImageMap.shortName(assignment[..<equals])] = path
        return true
    }

    /// The path for `image`, with or without registry and tag; `nil` if nothing stands for it.
    func path(for image: String) -> String? { paths[ImageMap.shortName(image)] }

    /// `ghcr.io/apus/apus-emojivoto:v1` is `apus-emojivoto`.
    static func shortName(_ image: some StringProtocol) -> String {
        let last = image.lastIndex(of: "/").map { image[image.index(after: $0)...] } ?? image[...]
        return String(last.prefix { $0 != ":" && $0 != "@" })
    }
}
