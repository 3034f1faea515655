// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A file of bytes whose name says what is to come of it: `title.verdict.kind`.
struct Sample: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]

    var testDescription: String { name }
    var kind: String { name.split(separator: ".").last.map(String.init) ?? "" }

    /// `Vectors` beside this file: one rule each.
    static let vectors = all(in: "WireTests/Vectors")
    static let http1 = all(in: "Corpora/http1")
    static let chunked = corpus("chunked").filter { $0.kind == "chunked" }
    static let detect = corpus("detect").filter { $0.kind == "bin" }
    static let clientHello = corpus("clienthello").filter { $0.kind == "bin" }

    static func vectors(of kind: String) -> [Sample] { vectors.filter { $0.kind == kind } }

    /// The corpus of a fuzz target. What libFuzzer has found in it is named by a hash, and has no kind.
    static func corpus(_ name: String) -> [Sample] { all(in: "Corpora/" + name) }

    private static func all(in folder: String) -> [Sample] {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let directory = tests.appending(path: folder).path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { !$0.hasPrefix(".") }.sorted().compactMap { name in
            FileManager.default.contents(atPath: directory + "/" + name).map { Sample(name: name, bytes: Array($0)) }
        }
    }
}
