// SPDX-License-Identifier: Apache-2.0

import AgentOracles
import Foundation
import FuzzOracles
import Testing

@testable import Agent

/// Replays `Tests/Corpora/configuration`: files with a verdict in their name, `title.VERDICT.yaml`, and what fuzzing has
/// left behind, named by a hash.
@Suite("Configuration corpus")
struct ConfigurationCorpusTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../Corpora/" + Oracle.configuration.name).path
    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()

    private func bytes(_ name: String) throws -> [UInt8] {
        Array(try #require(FileManager.default.contents(atPath: "\(ConfigurationCorpusTests.folder)/\(name)")))
    }

    @Test("every file keeps every property")
    func properties() throws {
        #expect(ConfigurationCorpusTests.names.count > 20, "there is a corpus")
        for name in ConfigurationCorpusTests.names {
            let bytes = try bytes(name)
            #expect(throws: Never.self, "\(name)") { try Oracle.configuration.check(bytes) }
        }
    }

    @Test("a file gets the verdict in its name", arguments: names.filter { $0.hasSuffix(".yaml") })
    func verdict(_ name: String) throws {
        let text = String(decoding: try bytes(name), as: UTF8.self)
        let found = Result { () throws(StaticFileError) in try StaticFile.parse(text, path: name) }
        let isAccepted = if case .success = found { true } else { false }
        #expect(name.hasSuffix(isAccepted ? ".ok.yaml" : ".refused.yaml"), "\(found)")
    }

    /// A file of the corpus, and what must be said of it where.
    static let findings: [(name: String, line: Int, reason: String)] = [
        ("control-character", 1, "control characters are not allowed"),
        ("line-end-in-key", 5, "unknown key \"a\\nstate.yaml:1: forged\" in the file"),
        ("line-end-in-value", 4, "\"\\r\\n\" in \"meshed\""),
        ("slash-with-combining-mark", 3, "is not the name of a Kubernetes object"),
        ("aliases-of-aliases", 5, "aliases make too many entries"),
        ("long-key", 5, "0..."),
    ]

    @Test("a mistake is one line and has one", arguments: findings)
    func finding(name: String, line: Int, reason: String) throws {
        let text = String(decoding: try bytes(name + ".refused.yaml"), as: UTF8.self)
        let error = try #require(throws: StaticFileError.self) { try StaticFile.parse(text, path: "state.yaml") }
        #expect(error.mistakes.contains { $0.line == line && $0.reason.contains(reason) }, "\(error)")
        #expect(error.description.split(separator: "\n").count == error.mistakes.count)
    }
}
