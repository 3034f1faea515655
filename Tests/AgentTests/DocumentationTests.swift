// SPDX-License-Identifier: Apache-2.0

import Foundation
import Model
import Telemetry
import Testing

@testable import Agent

/// What the documents promise exists.
@Suite("Documentation")
struct DocumentationTests {
    func text(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "docs/\(name)"), encoding: .utf8)
    }

    @Test("every failure has a section, and every section is a failure")
    func failures() throws {
        let sections = try text("troubleshooting.md").split(separator: "\n").filter { $0.hasPrefix("## ") }
            .map { String($0.dropFirst(3)) }
        #expect(sections == Failure.Reason.allCases.map(\.rawValue))
    }

    @Test("every failure belongs to a stage of a connection's life", arguments: Failure.Reason.allCases)
    func stages(reason: Failure.Reason) throws {
        let stages = try text("life-of-a-connection.md").split(separator: "\n").filter { $0.hasPrefix("| ") }
        #expect(stages.filter { $0.contains("`\(reason.rawValue)`") }.count == 1)
    }

    @Test("every metric that a document names is in the catalog", arguments: ["operations.md", "troubleshooting.md"])
    func metrics(document: String) throws {
        let names = Set(Catalog.all.map(\.name))
        let named = try text(document).matches(of: /\b(apus|process|tcp|request|response)_[a-z0-9_]+/).map {
            String($0.output.0)
        }
        let prefixes = ["apus_failures", "tcp_", "request_total", "response_"]
        let metrics = Set(named).filter { name in
            name.hasPrefix("apus_") || name.hasPrefix("process_") || prefixes.contains { name.hasPrefix($0) }
        }
        #expect(!metrics.isEmpty)
        for name in metrics { #expect(names.contains(name), "\(document) names \(name)") }
    }

    @Test("every metric of ours is explained")
    func explained() throws {
        let text = try text("operations.md")
        for family in Catalog.all { #expect(text.contains("`\(family.name)`"), "\(family.name)") }
    }

    @Test("the example of the configuration is a good file")
    func example() throws {
        let text = try text("operations.md")
        let start = try #require(text.range(of: "```yaml\n"))
        let end = try #require(text[start.upperBound...].range(of: "```"))
        let state = try StaticFile.parse(String(text[start.upperBound..<end.lowerBound]), path: "operations.md")
        #expect(state.pods.count == 1 && state.workloads.count == 1 && state.services.count == 1)
    }
}
