// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import LocalCluster

/// What `local up` and `local demo` make a cluster from.
struct ClusterDescription: ParsableArguments {
    @Option(help: ArgumentHelp("How many nodes, 1 to 9.", valueName: "number"))
    var nodes = 2

    @Flag(help: "Start no agents: pods talk plainly, services still work.")
    var noMesh = false

    @Option(
        help: ArgumentHelp(
            "What stands for a container image: a program or a directory. Repeatable.", valueName: "image=path"))
    var image: [String] = []

    @Option(
        help: ArgumentHelp("The agent's program; default: apus-agent beside this one.", valueName: "path"),
        completion: .file())
    var agentProgram: String?

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A further argument for every agent. Repeatable.", valueName: "argument"))
    var agentArgument: [String] = []

    @Option(help: ArgumentHelp("How many seconds agents, and then pods, have to become ready.", valueName: "seconds"))
    var patience = 60

    func validate() throws {
        guard (1...9).contains(nodes) else { throw ValidationError("--nodes is \(nodes): 1 to 9 are possible") }
        guard (1...3600).contains(patience) else {
            throw ValidationError("--patience is \(patience): 1 to 3600 seconds")
        }
    }

    /// The plan for manifests in `files`; `-` is standard input.
    func plan(_ files: [String]) throws -> ClusterPlan {
        var images = ImageMap(programDirectory: ClusterControl.programDirectory)
        for assignment in image where !images.add(assignment) {
            throw ClusterError("--image \(assignment): write NAME=PATH, where PATH is there")
        }
        let manifest = try ManifestReader.read(files.map { (name: $0, text: try ClusterDescription.read($0)) })
        return try Planner.plan(manifest, nodes: nodes, images: images, mesh: !noMesh)
    }

    /// What the supervisor needs. Throws if there is no agent to start.
    func settings() throws -> SupervisorSettings {
        let program = agentProgram ?? "\(ClusterControl.programDirectory)/apus-agent"
        guard noMesh || FileManager.default.isExecutableFile(atPath: program) else {
            throw ClusterError(
                "there is no agent at \(program): build it, name it with --agent-program, or say --no-mesh")
        }
        return SupervisorSettings(
            agentProgram: URL(fileURLWithPath: program).standardizedFileURL.path, agentArguments: agentArgument,
            patience: patience)
    }

    private static func read(_ file: String) throws -> String {
        let data =
            file == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: file)
        guard let data else { throw ClusterError("cannot read \(file): is it there?") }
        guard let text = String(data: data, encoding: .utf8) else { throw ClusterError("\(file) is not UTF-8 text") }
        return text
    }
}
