// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
package import Logging

/// Makes a planned cluster, keeps its processes running, and takes everything away at the end.
///
/// The order is Kubernetes': network, services, agents (which enrol the pods' namespaces), then the pods' programs, so
/// that a program's first connection finds everything in place.
package actor Supervisor {
    let plan: ClusterPlan
    let state: StateDirectory
    let settings: SupervisorSettings
    let cluster: ControlGroup
    let log: Logger
    private let report: @Sendable (StartProgress) -> Void
    /// Once set, what ends stays ended.
    var isStopping = false
    private var status: ClusterStatus
    /// What the nodes' rules and state files were last written for.
    private var published: Set<String>?

    package init(
        plan: ClusterPlan, state: StateDirectory, settings: SupervisorSettings, log: Logger,
        report: @escaping @Sendable (StartProgress) -> Void
    ) throws {
        self.plan = plan
        self.state = state
        self.settings = settings
        self.log = log
        self.report = report
        cluster = try ControlGroup.cluster()
        status = ClusterStatus(supervisor: getpid())
    }

    /// Runs until `stop` says so or something cannot be made. Nothing is left in either case.
    package func run(until stop: StopSignals) async throws {
        guard let lock = try ClusterLock(state: state) else {
            throw ClusterError("a cluster is up already: apus local down ends it")
        }
        try Leftovers.remove()
        let home = try enterCluster()
        var failure: (any Error)?
        await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask { [self] in
                do { try await serve() } catch { return error }
                return nil
            }
            group.addTask {
                let number = await stop.first()
                return number.map { Stopped(signal: $0) }
            }
            failure = await group.next() ?? nil
            await stopProcesses()
            group.cancelAll()
        }
        do {
            try home.enter()
            try Leftovers.remove()
            try? FileManager.default.removeItem(atPath: state.path)
        } catch {
            log.error("could not clean up", metadata: ["error": "\(error)"])
            failure = failure.flatMap { $0 is Stopped ? nil : $0 } ?? error
        }
        lock.remove()
        if let failure, !(failure is Stopped) { throw failure }
    }

    private struct Stopped: Error { let signal: Int32 }

    /// Moves this process into the cluster's own cgroup, so that `down` finds it, and says where it came from.
    private func enterCluster() throws -> ControlGroup {
        let lines = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
        let own = lines.split(separator: "\n").first { $0.hasPrefix("0::") }?.dropFirst(3) ?? "/"
        let group = cluster.child("supervisor")
        try group.create()
        try group.enter()
        // A supervisor that was started from inside a pod would not find its old group again.
        let home = ControlGroup(path: try ControlGroup.mountPoint() + (own.hasPrefix("/apus-local") ? "" : own))
        return home
    }

    // MARK: Serving

    private func serve() async throws {
        try state.create(for: plan)
        report(.step("making \(plan.nodes.count) nodes and \(plan.pods.count) pods"))
        try ClusterNetwork.checkConflicts()
        try ClusterNetwork.create(plan)
        for pod in plan.pods {
            try writeNames(pod)
            try PodCommand.group(of: pod, in: cluster).create()
            for container in pod.containers {
                status.pods[pod.uid, default: .init()].containers[container.name] = .init()
            }
        }
        try publish()
        try await withThrowingTaskGroup(of: Void.self) { group in
            if plan.mesh {
                report(.step("starting \(plan.nodes.count) agents"))
                for node in plan.nodes { group.addTask { [self] in await keepAgent(on: node) } }
                try await waitForAgents()
            }
            let directory = ClusterDirectory(
                nodes: plan.nodes.map { .init(name: $0.name, agent: plan.mesh ? $0.agent : nil) })
            try StateDirectory.write(directory, to: state.cluster)
            report(.step("starting the pods"))
            for pod in plan.pods {
                for container in pod.containers {
                    group.addTask { [self] in await keep(container, of: pod) }
                }
            }
            try await waitForPods()
            try await group.waitForAll()
            // A plan without a process goes on until it is stopped.
            while !isStopping { try await Task.sleep(for: .seconds(3600)) }
        }
    }

    /// `/etc/netns/NAME/...` is what `ip netns exec` puts over `/etc/...`.
    private func writeNames(_ pod: ClusterPlan.Pod) throws {
        let directory = "/etc/netns/\(pod.netns)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try StateDirectory.write(HostsFile.text(for: pod, in: plan), to: "\(directory)/hosts")
        try StateDirectory.write(
            "# apus local has no DNS server: names are in /etc/hosts\n", to: "\(directory)/resolv.conf")
    }

    private func waitForAgents() async throws {
        let deadline = ContinuousClock.now + .seconds(settings.patience)
        for node in plan.nodes {
            while status.agents[node.name]?.ready != true {
                let agent = status.agents[node.name]
                guard ContinuousClock.now < deadline, agent?.restarts ?? 0 < 3 else {
                    let exit = agent?.lastExit.map { " (last \($0))" } ?? ""
                    throw ClusterError(
                        "the agent of \(node.name) is not ready\(exit): \(lastLines(state.agentLog(node.name)))")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func waitForPods() async throws {
        let deadline = ContinuousClock.now + .seconds(settings.patience)
        var told = -1
        while true {
            let ready = readyPods.count
            if ready != told { report(.pods(ready: ready, of: plan.pods.count)) }
            told = ready
            if ready == plan.pods.count || ContinuousClock.now > deadline { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        report(.up(unready: plan.pods.filter { !readyPods.contains($0.uid) }.map(\.qualifiedName)))
    }

    private func lastLines(_ path: String) -> String {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(5).joined(separator: "\n")
    }

    // MARK: State

    private var readyPods: Set<String> { Set(status.pods.filter { $0.value.ready }.keys) }

    /// Changes what is known of a pod's container and lets everybody know.
    func change(_ container: String, of pod: ClusterPlan.Pod, _ body: (inout ClusterStatus.ProcessStatus) -> Void) {
        body(&status.pods[pod.uid, default: .init()].containers[container, default: .init()])
        publishLoudly()
    }

    /// Changes what is known of a node's agent.
    func change(agentOf node: ClusterPlan.Node, _ body: (inout ClusterStatus.ProcessStatus) -> Void) {
        body(&status.agents[node.name, default: .init()])
        publishLoudly()
    }

    private func publishLoudly() {
        guard !isStopping else { return }
        do { try publish() } catch {
            log.error("could not publish the cluster's state", metadata: ["error": "\(error)"])
        }
    }

    /// Rewrites rules and state files if a pod became ready or stopped being so.
    private func publish() throws {
        try StateDirectory.write(status, to: state.status)
        let ready = readyPods
        guard ready != published else { return }
        for node in plan.nodes {
            let rules = ServiceRules.script(for: node, in: plan, ready: ready)
            try Tool.run(["nsenter", "--net=/run/netns/\(node.netns)", "--", "nft", "-f", "-"], input: rules)
            let text = NodeStateFile.text(for: node, in: plan, ready: ready)
            try StateDirectory.write(text, to: "\(state.node(node.name))/state.yml")
        }
        published = ready
    }

    // MARK: Stopping

    /// Pods first, with time to finish, then agents, which withdraw what they enrolled.
    private func stopProcesses() async {
        isStopping = true
        let pods = plan.pods.map { PodCommand.group(of: $0, in: cluster) }.filter(\.exists)
        let grace = min(plan.pods.map(\.gracePeriod).max() ?? 0, 5)
        await end(pods, within: .seconds(grace))
        await end(plan.nodes.map { cluster.child($0.name).child("agent") }.filter(\.exists), within: .seconds(10))
    }

    private func end(_ groups: [ControlGroup], within limit: Duration) async {
        await blocking {
            for group in groups { group.terminate() }
            let deadline = ContinuousClock.now + limit
            for group in groups { group.waitUntilEmpty(deadline - .now) }
            for group in groups { group.killAll() }
            for group in groups { group.waitUntilEmpty(.seconds(5)) }
        }
    }
}
