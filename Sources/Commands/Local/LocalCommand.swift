// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LocalCluster

/// `apus local`: a cluster on this machine.
struct LocalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "local",
        abstract: "Run a cluster on this machine, without Kubernetes.",
        discussion: """
            Nodes and pods are network namespaces with a cgroup each; services have virtual addresses; every node runs
            the real agent and proxy. It is a stand-in for tests and demonstrations: production is Kubernetes itself.
            IPv4 only. There is one such cluster on a machine, and making it needs root.

            EXAMPLES
              apus local up -f app.yml         make it from manifests and start everything
              apus local status                nodes, pods and services
              apus local run deploy/web -- sh  a program inside a pod, like kubectl exec
              apus local logs deploy/web -f    what a pod prints
              apus local down                  end it; nothing is left
              apus local demo                  the sample application, watched for a minute
            """,
        subcommands: [
            LocalUp.self, LocalDown.self, LocalStatus.self, LocalRun.self, LocalLogs.self, LocalDemo.self,
            LocalSupervise.self,
        ])
}

/// Where the cluster keeps its files.
struct StateOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the cluster keeps its files; default: where the present one does, else \(StateDirectory.standard.path).",
            valueName: "directory"), completion: .directory)
    var stateDirectory: String?

    /// The cluster that is meant.
    var control: ClusterControl {
        stateDirectory.map { ClusterControl(state: StateDirectory(path: $0)) } ?? .current
    }
}
