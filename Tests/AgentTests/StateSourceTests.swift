// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Logging
import Model
import Testing

@testable import Agent

@Suite("State source")
struct StateSourceTests {
    let directory: TemporaryDirectory
    let counts = AgentCounts()

    init() throws { directory = try TemporaryDirectory() }

    var path: String { directory.path + "/state.yaml" }
    func source() -> StateSource {
        StateSource(path: path, copyPath: directory.path + "/copy.yaml", counts: counts, log: .silent)
    }
    func write(_ text: String) throws {
        try text.write(toFile: path + ".new", atomically: false, encoding: .utf8)
        #expect(rename(path + ".new", path) == 0)
    }

    @Test("a file is read when it is new, and when another takes its place")
    func changes() throws {
        let source = source()
        #expect(source.next() == nil)
        #expect(source.error != nil, "a missing file is said so")
        #expect(source.next() == nil && counts.configurationErrors.value == 1, "once")
        try write(StaticFileTests.good)
        #expect(source.next()?.node == "node-1")
        #expect(source.next() == nil)
        try write(StaticFileTests.good.replacing("node: node-1", with: "node: node-9"))
        #expect(source.next()?.node == "node-9")
    }

    @Test("a bad file is reported once, counted, and the last good one is remembered across restarts")
    func bad() throws {
        let source = source()
        try write(StaticFileTests.good)
        #expect(source.next() != nil)
        try write("kind: Nonsense")
        #expect(source.next() == nil && source.next() == nil)
        #expect(source.error?.contains("state.yaml:1: ") == true)
        #expect(counts.configurationErrors.value == 1 && counts.configurationBad.value == 1)
        let restarted = self.source()
        #expect(restarted.next() == nil)
        #expect(restarted.remembered()?.node == "node-1")
        try write(StaticFileTests.good)
        #expect(source.next() != nil && source.error == nil && counts.configurationBad.value == 0)
    }

    @Test("a file that goes away is not a wish for an empty node")
    func gone() throws {
        let source = source()
        try write(StaticFileTests.good)
        #expect(source.next() != nil)
        unlink(path)
        #expect(source.next() == nil && source.error != nil)
        #expect(source.next() == nil && counts.configurationErrors.value == 1)
    }
}
