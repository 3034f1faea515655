// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LocalCluster

/// `apus local status`
struct LocalStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the cluster's nodes, pods and services.",
        discussion: """
            The exit status is 0 if everything is ready, else 1.

            EXAMPLES
              apus local status
            """)

    @OptionGroup var state: StateOptions

    func run() async throws {
        let control = state.control
        guard let plan = control.plan, let status = control.status else {
            throw ClusterError("there is no local cluster: apus local up makes one")
        }
        guard control.isRunning else {
            throw ClusterError(
                "the cluster's supervisor has died: apus local up starts anew, apus local down clears up")
        }
        let text = LocalStatusTables(plan, status)
        Terminal.shared.print(text.text)
        if !text.isReady { throw ExitCode.failure }
    }
}

/// The tables of `apus local status`.
struct LocalStatusTables {
    private let plan: ClusterPlan
    private let status: ClusterStatus

    init(_ plan: ClusterPlan, _ status: ClusterStatus) {
        self.plan = plan
        self.status = status
    }

    var isReady: Bool {
        plan.pods.allSatisfy { status.pods[$0.uid]?.ready == true }
            && (!plan.mesh || plan.nodes.allSatisfy { status.agents[$0.name]?.ready == true })
    }

    var text: String {
        var nodes = TextTable(["NODE", "ADDRESS", "PODS", "AGENT", "RESTARTS"], leftAligned: 5)
        for node in plan.nodes {
            let agent = status.agents[node.name]
            nodes.add([
                node.name, node.fabricAddress, node.podRange, plan.mesh ? LocalStatusTables.word(agent) : "none",
                plan.mesh ? "\(agent?.restarts ?? 0)" : "-",
            ])
        }
        var pods = TextTable(
            ["NAMESPACE", "POD", "NODE", "ADDRESS", "MESH", "STATUS", "RESTARTS", "LAST EXIT"], leftAligned: 8)
        for pod in plan.pods {
            let known = status.pods[pod.uid]
            let last = known?.containers.values.compactMap(\.lastExit).first ?? "-"
            let running = known?.containers.values.allSatisfy { $0.pid != nil } ?? false
            pods.add([
                pod.namespace, pod.name, pod.node, pod.address, pod.meshed ? "yes" : "no",
                known?.ready == true ? "ready" : running ? "not ready" : "not running", "\(known?.restarts ?? 0)", last,
            ])
        }
        var services = TextTable(["NAMESPACE", "SERVICE", "ADDRESS", "PORTS", "ENDPOINTS"], leftAligned: 5)
        for service in plan.services {
            let ready = service.pods.count { status.pods[$0]?.ready == true }
            services.add([
                service.namespace, service.name, service.address ?? "none",
                service.ports.map { "\($0.port)/\($0.transport.rawValue)" }.joined(separator: ","),
                "\(ready)/\(service.pods.count)",
            ])
        }
        return [nodes.text, pods.text, services.text].joined(separator: "\n").trimmingLastNewline
    }

    private static func word(_ process: ClusterStatus.ProcessStatus?) -> String {
        guard let process else { return "not running" }
        return process.ready ? "ready" : process.pid == nil ? "not running" : "not ready"
    }
}

extension String {
    fileprivate var trimmingLastNewline: String { last == "\n" ? String(dropLast()) : self }
}
