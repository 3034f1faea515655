// SPDX-License-Identifier: Apache-2.0

import Addresses
import Foundation
import Model
import Testing

@testable import Agent

@Suite("Static file")
struct StaticFileTests {
    static let good = """
        apiVersion: apus.io/v1alpha1
        kind: NodeState
        node: node-1
        meshed: ["10.244.0.0/16", "fd00::/48"]
        pods:
          - uid: a
            namespace: emojivoto
            name: web-1
            owner: {kind: Deployment, name: web}
            netns: /run/netns/web-1
            addresses: [10.244.1.5, "fd00::5"]
            opaquePorts: ["25", 4000-4010, 26]
            skipOutboundPorts: [53]
            policy: cluster-unauthenticated
            failOpen: true
            connectionLimit: 50
          - uid: b
            namespace: emojivoto
            name: emoji-1
            netns: /run/netns/emoji-1
            addresses: [10.244.1.6]
        workloads:
          - {uid: c, namespace: emojivoto, name: voting-1, owner: {kind: StatefulSet, name: voting}, node: node-2,
             addresses: [10.244.2.7], meshed: true}
        services:
          - namespace: emojivoto
            name: web-svc
            addresses: [10.96.0.10]
            ports:
              - {name: http, port: 80, endpoints: [{address: "10.244.1.5:8080", ready: false}, {address: "[fd00::5]:8080"}]}
              - {port: 81, opaque: true}
        """

    @Test("a good file is read whole")
    func good() throws {
        let state = try StaticFile.parse(StaticFileTests.good, path: "f")
        #expect(state.node == "node-1")
        #expect(state.meshedRanges.map(\.description) == ["10.244.0.0/16", "fd00::/48"])
        let web = try #require(state.pods.first)
        #expect(web.workload.owner == .init(.deployment, "web"))
        #expect(web.workload.node == "node-1" && web.workload.serviceAccount == "default")
        #expect(web.opaquePorts == PortSet([25...26, 4000...4010]))
        #expect(web.skipOutboundPorts.contains(53) && web.policy == .clusterUnauthenticated && web.failOpen)
        #expect(web.connectionLimit == 50)
        #expect(state.pods[1].opaquePorts == .wellKnownOpaque)
        #expect(state.workloads[0].meshed && state.workloads[0].node == "node-2")
        let port = state.services[0].ports[0]
        #expect(port.endpoints == [.init(.init("10.244.1.5:8080")!, ready: false), .init(.init("[fd00::5]:8080")!)])
        #expect(state.services[0].ports[1].opaque)
    }

    /// A line of the good file, what it is replaced with, and the mistake that must be named there.
    static let mistakes: [(line: Int, text: String, reason: String)] = [
        (1, "apiVersion: apus.io/v2", "\"apiVersion\" must be apus.io/v1alpha1"),
        (2, "kind: Node", "\"kind\" must be NodeState"),
        (3, "node: a/b", "is not the name of a Kubernetes object"),
        (4, "meshed: [10.244.0.0/33]", "is not a range of addresses"),
        (4, "meshed: 10.244.0.0/16", "must be a list, not a single value"),
        (6, "  - uid: [a]", "must be text, not a list"),
        (8, "    nam: web-1", "unknown key \"nam\" in pod"),
        (8, "    name: \"web 1\"", "without spaces"),
        (9, "    owner: {kind: Rollout, name: web}", "Rollout is not a kind of owner"),
        (9, "    owner: web", "owner must be a mapping, not a single value"),
        (10, "    netns: run/netns/web-1", "must be an absolute path"),
        (11, "    addresses: [10.244.1.300]", "is not an address that a pod or service can have"),
        (11, "    addresses: [127.0.0.1]", "is not an address that a pod or service can have"),
        (11, "    addresses: [224.0.0.1]", "is not an address that a pod or service can have"),
        (11, "    addresses: [0.0.0.0]", "is not an address that a pod or service can have"),
        (11, "    addresses: []", "needs at least one address"),
        (12, "    opaquePorts: [0]", "is not a port or a range of ports"),
        (12, "    opaquePorts: [20-10]", "is not a port or a range of ports"),
        (12, "    opaquePorts: [70000]", "is not a port or a range of ports"),
        (14, "    policy: open", "open is not a policy"),
        (15, "    failOpen: maybe", "must be true or false"),
        (15, "    failOpen: \"true\"", "must be true or false"),
        (16, "    connectionLimit: 0", "must be a number from 1"),
        (17, "  - uid: a", "uid a is already used in line 6"),
        (20, "    netns: /run/netns/web-1", "already the network namespace of pod web-1"),
        (21, "    addresses: [10.244.1.5]", "10.244.1.5 is already an address of pod web-1"),
        (24, "     addresses: [10.244.1.6], meshed: true}", "10.244.1.6 is already an address of pod emoji-1"),
        (28, "    addresses: [10.244.1.5]", "of service emojivoto/web-svc is already an address of pod web-1"),
        (31, "      - {port: 80, opaque: true}", "port 80 of service emojivoto/web-svc is given twice"),
        (31, "      - {port: 0}", "must be a number from 1 to 65535"),
        (31, "      - {port: eighty}", "must be a number from 1 to 65535"),
        (31, "      - {port: 81, endpoints: [{address: 10.244.1.5}]}", "is not an address with a port"),
        (31, "      - {port: 81, endpoints: [{address: \"10.244.1.5:0\"}]}", "is not an address with a port"),
        (31, "      - {port: 81, port: 82}", "key given twice"),
    ]

    @Test("a mistake is named with its line", arguments: mistakes)
    func mistake(line: Int, text: String, reason: String) throws {
        var lines = StaticFileTests.good.split(separator: "\n").map(String.init)
        lines[line - 1] = text
        let error = try #require(throws: StaticFileError.self) {
            try StaticFile.parse(lines.joined(separator: "\n"), path: "state.yaml")
        }
        let found = error.mistakes.first { $0.line == line }
        #expect(found?.reason.contains(reason) == true, "\(error)")
        #expect(error.description.contains("state.yaml:\(line): "))
    }

    @Test("a virtual address and port belong to one service")
    func duplicateVirtualPort() throws {
        let text =
            StaticFileTests.good + """

                  - {namespace: x, name: y, addresses: [10.96.0.10], ports: [{port: 80}]}
                """
        let error = try #require(throws: StaticFileError.self) { try StaticFile.parse(text, path: "f") }
        #expect(error.description.contains("10.96.0.10:80 of service x/y already belongs to service emojivoto/web-svc"))
    }

    @Test("required keys are missed where they should be", arguments: ["node", "meshed", "apiVersion", "kind"])
    func missing(key: String) throws {
        let text = StaticFileTests.good.split(separator: "\n").filter { !$0.hasPrefix(key) }.joined(separator: "\n")
        let error = try #require(throws: StaticFileError.self) { try StaticFile.parse(text, path: "f") }
        #expect(error.description.contains("the file needs \"\(key)\""))
    }

    @Test("all mistakes are named at once, up to a limit, in order")
    func several() throws {
        let text = StaticFileTests.good.replacing("addresses: [10.", with: "adresses: [10.")
        let error = try #require(throws: StaticFileError.self) { try StaticFile.parse(text, path: "f") }
        #expect(error.mistakes.count > 3 && error.mistakes.count <= MistakeList.maximum)
        #expect(error.mistakes.map(\.line) == error.mistakes.map(\.line).sorted())
    }

    @Test("what is not YAML, not UTF-8, empty or not there is said so", arguments: ["a: [", "", "- x", "a: b: c"])
    func notYAML(text: String) { #expect(throws: StaticFileError.self) { try StaticFile.parse(text, path: "f") } }

    @Test("a missing file, a directory and a file over the limit are refused by name")
    func unreadable() throws {
        let missing = try #require(throws: StaticFileError.self) { try StaticFile.load("/nonexistent/state.yaml") }
        #expect(missing.description == "/nonexistent/state.yaml: no such file or directory")
        #expect(throws: StaticFileError.self) { try StaticFile.load("/") }
        let directory = try TemporaryDirectory()
        let path = directory.path + "/big.yaml"
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        truncate(path, off_t(StaticFile.maximumBytes + 1))
        let big = try #require(throws: StaticFileError.self) { try StaticFile.load(path) }
        #expect(big.description.contains("larger than the limit of 64 MiB"))
    }
}
