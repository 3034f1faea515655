// SPDX-License-Identifier: Apache-2.0

import Foundation
import Model

/// Where the agent finds and leaves things: what the command line says, or the defaults beside the program.
struct AgentPaths {
    let node: String
    let runDirectory: String
    let bpfDirectory: String
    let pinDirectory: String
    let cgroup: String
    let proxy: String

    init(_ options: AgentOptions) throws {
        if let node = options.node {
            self.node = node
        } else {
            // Without a name there is no run directory, and so no last good file to fall back to.
            node = try StaticFile.load(options.statePath).node
        }
        guard !node.isEmpty, !node.contains("/"), node != ".", node != ".." else {
            throw Agent.Refusal(description: "\"\(node)\" cannot be a node's name: directories are named after it")
        }
        let files = FileManager.default
        let program = (try? files.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        let beside = (program as NSString).deletingLastPathComponent
        runDirectory = options.runDirectory ?? "/run/apus/\(node)"
        pinDirectory = options.pinDirectory ?? "/sys/fs/bpf/apus/\(node)"
        proxy = options.proxy ?? "\(beside)/apus-proxy"
        let libraries = ((beside as NSString).deletingLastPathComponent as NSString).appendingPathComponent("lib/apus")
        bpfDirectory = options.bpfDirectory ?? (files.fileExists(atPath: libraries) ? libraries : beside)
        cgroup = try options.cgroup ?? AgentPaths.cgroup2Root()
        guard files.isExecutableFile(atPath: proxy) else {
            throw Agent.Refusal(
                description: "there is no program at \(proxy); pass the path of apus-proxy with --proxy")
        }
    }

    /// Where cgroup2 is mounted; on hybrid systems that is not `/sys/fs/cgroup`.
    private static func cgroup2Root() throws -> String {
        let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count > 2, fields[2] == "cgroup2" { return String(fields[1]) }
        }
        throw Agent.Refusal(description: "cgroup2 is not mounted; mount it or pass its path with --cgroup")
    }
}
