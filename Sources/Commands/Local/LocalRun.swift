// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import LocalCluster

/// `apus local run`
struct LocalRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a command inside a pod, like kubectl exec.",
        discussion: """
            The command has the pod's network, names, cgroup and environment, and this machine's files. It takes this
            program's place, so its exit status and terminal are its own.

            EXAMPLES
              apus local run deploy/web -- curl -s http://emoji-svc:8080/metrics
              apus local run emojivoto/web-6d8f -- sh
            """)

    @Argument(help: ArgumentHelp("NAME, NAMESPACE/NAME, or deploy/NAME for one of its pods.", valueName: "pod"))
    var pod: String

    @Argument(parsing: .postTerminator, help: ArgumentHelp("The command, after --.", valueName: "command"))
    var command: [String]

    @Option(name: .shortAndLong, help: ArgumentHelp("The pod's namespace; default: any.", valueName: "namespace"))
    var namespace: String?

    @OptionGroup var state: StateOptions

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("write the command after --") }
    }

    func run() async throws {
        try ClusterControl.requireRoot()
        let control = state.control
        let pod = try control.pod(pod, namespace: namespace)
        guard control.isRunning, let container = pod.containers.first else {
            throw ClusterError("the cluster is not running: apus local up")
        }
        var environment = PodCommand.environment(of: container, in: pod)
        for name in ["TERM", "LANG"] where environment[name] == nil {
            environment[name] = getenv(name).map { String(cString: $0) }
        }
        let arguments = PodCommand.arguments(command, in: pod, cluster: try ControlGroup.cluster())
        let argv = arguments.map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        execve(arguments[0], argv, envp)
        throw ClusterError("cannot run \(arguments[0]): \(String(cString: strerror(errno)))")
    }
}
