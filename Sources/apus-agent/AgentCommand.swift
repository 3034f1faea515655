// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import Foundation
import Glibc
import Logging

/// `apus-agent`: one for each node.
@main
struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-agent",
        abstract: "Bring a node's pods into the mesh and keep them there.",
        discussion: """
            Captures the connections of the pods that FILE names, runs apus-proxy for them, and serves metrics and the
            answers to apus stat and apus tap. FILE is read again when it changes.

            On SIGTERM or SIGINT the pods are released and the proxy ends; with --keep both go on, for the next agent.
            """,
        version: Agent.version)

    @Option(help: ArgumentHelp("The node's desired state, YAML.", valueName: "file"))
    var state: String

    @Option(help: "The node's name (default: the one in FILE).")
    var node: String?

    @Option(
        help: ArgumentHelp(
            "Keep the proxy's socket and the last good state here (default: /run/apus/NODE).", valueName: "dir"))
    var runDirectory: String?

    @Option(
        help: ArgumentHelp("Find the BPF programs here (default: ../lib/apus beside this program).", valueName: "dir"))
    var bpfDirectory: String?

    @Option(help: ArgumentHelp("Pin maps and programs here (default: /sys/fs/bpf/apus/NODE).", valueName: "dir"))
    var pinDirectory: String?

    @Option(
        help: ArgumentHelp(
            "The cgroup2 directory that holds the pods (default: the root of cgroup2).", valueName: "dir"))
    var cgroup: String?

    @Option(help: ArgumentHelp("Serve metrics and the API here.", valueName: "address:port"))
    var admin = "0.0.0.0:4191"

    @Option(help: ArgumentHelp("The proxy (default: apus-proxy beside this program).", valueName: "path"))
    var proxy: String?

    @Option(help: "How many threads the proxy has (default: one per processor, at most 4).")
    var workers: Int?

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel = "info"

    @Flag(help: "Leave interception and the proxy running when told to end.")
    var keep = false

    func validate() throws {
        if let workers, !(1...256).contains(workers) { throw ValidationError("--workers must be from 1 to 256") }
        guard Logger.Level(rawValue: logLevel) != nil else { throw ValidationError("\(logLevel) is not a log level") }
        _ = try address()
    }

    func run() async throws {
        // Set before anything can write to a peer that has gone.
        signal(SIGPIPE, SIG_IGN)
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var log = Logger(label: "apus-agent")
        log.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        let (host, port) = try address()
        let options = AgentOptions(
            statePath: state, node: node, runDirectory: runDirectory, bpfDirectory: bpfDirectory,
            pinDirectory: pinDirectory, cgroup: cgroup, adminHost: host, adminPort: port, proxy: proxy,
            workers: workers, keep: keep)
        do {
            try await Agent(options, log: log).runUntilSignalled()
        } catch {
            // One sentence for a person; the log has the rest.
            FileHandle.standardError.write(Data("apus-agent: \(error)\n".utf8))
            throw ExitCode.failure
        }
    }

    private func address() throws -> (host: String, port: Int) {
        guard let colon = admin.lastIndex(of: ":"), let port = UInt16(admin[admin.index(after: colon)...]) else {
            throw ValidationError("--admin must be ADDRESS:PORT, not \(admin)")
        }
        let host = admin[..<colon].drop { $0 == "[" }.prefix { $0 != "]" }
        return (host.isEmpty ? "0.0.0.0" : String(host), Int(port))
    }
}
