// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Glibc
import LocalCluster

/// `apus local logs`
struct LocalLogs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Print what a pod, an agent or the supervisor wrote.",
        discussion: """
            EXAMPLES
              apus local logs deploy/web        everything since the cluster is up
              apus local logs web-6d8f -f       and what comes
              apus local logs agent/node-1      a node's agent
              apus local logs supervisor
            """)

    @Argument(help: ArgumentHelp("A pod, deploy/NAME, agent/NODE or supervisor.", valueName: "what"))
    var what: String

    @Flag(name: .shortAndLong, help: "Go on with what comes.")
    var follow = false

    @Option(name: .shortAndLong, help: ArgumentHelp("A container of the pod; default: the first.", valueName: "name"))
    var container: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("The pod's namespace; default: any.", valueName: "namespace"))
    var namespace: String?

    @OptionGroup var state: StateOptions

    func run() async throws {
        let path = try file()
        guard FileManager.default.fileExists(atPath: path) else {
            throw ClusterError("\(what) has written nothing yet")
        }
        let arguments = ["tail", "-n", "+1"] + (follow ? ["-F"] : []) + ["--", path]
        let argv = arguments.map { strdup($0) } + [nil]
        execvp(arguments[0], argv)
        throw ClusterError("cannot run tail: \(String(cString: strerror(errno)))")
    }

    private func file() throws -> String {
        let control = state.control
        if what == "supervisor" { return control.state.supervisorLog }
        if what.hasPrefix("agent/") { return control.state.agentLog(String(what.dropFirst("agent/".count))) }
        let pod = try control.pod(what, namespace: namespace)
        guard let name = container ?? pod.containers.first?.name, pod.containers.contains(where: { $0.name == name })
        else {
            throw ClusterError("pod \(pod.name) has containers \(pod.containers.map(\.name).joined(separator: ", "))")
        }
        return control.state.log(pod, name)
    }
}
