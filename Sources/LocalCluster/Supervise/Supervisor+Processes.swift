// SPDX-License-Identifier: Apache-2.0

import Addresses
import Foundation
import Glibc
import Logging

extension Supervisor {
    /// Runs a container's program, again and again: `restartPolicy: Always`. The pod keeps its namespace and address.
    func keep(_ container: ClusterPlan.Container, of pod: ClusterPlan.Pod) async {
        let arguments = PodCommand.arguments(
            container.arguments, in: pod, cluster: cluster, workingDirectory: container.workingDirectory)
        let environment = PodCommand.environment(of: container, in: pod)
        await keepRunning("\(pod.qualifiedName)/\(container.name)") {
            try start(arguments, environment, log: state.log(pod, container.name))
        } started: { child in
            change(container.name, of: pod) {
                $0.pid = child.pid
                $0.ready = container.probe == nil
            }
            guard let probe = container.probe else { return nil }
            return Task { [weak self] in await self?.watch(probe, container.name, of: pod) }
        } ended: { exit in
            change(container.name, of: pod) {
                $0 = .init(pid: nil, ready: false, restarts: $0.restarts + 1, lastExit: exit)
            }
        }
    }

    /// Runs a node's agent, again and again.
    func keepAgent(on node: ClusterPlan.Node) async {
        let group = cluster.child(node.name).child("agent")
        let directory = state.node(node.name)
        do { try group.create() } catch { return log.error("\(error)") }
        let command = [
            settings.agentProgram, "--state", "\(directory)/state.yml", "--node", node.name,
            "--run-directory", "\(directory)/run", "--cgroup", cluster.child(node.name).path, "--admin", node.agent,
        ]
        let arguments = PodCommand.arguments(command + settings.agentArguments, onNode: node, group: group)
        await keepRunning("agent of \(node.name)") {
            try start(arguments, ProcessInfo.processInfo.environment, log: state.agentLog(node.name))
        } started: { child in
            change(agentOf: node) { $0.pid = child.pid }
            return Task { [weak self] in await self?.watchAgent(on: node) }
        } ended: { exit in
            change(agentOf: node) { $0 = .init(pid: nil, ready: false, restarts: $0.restarts + 1, lastExit: exit) }
        }
    }

    private func keepRunning(
        _ name: String, start: () throws -> ChildProcess, started: (ChildProcess) -> Task<Void, Never>?,
        ended: (String) -> Void
    ) async {
        var backoff = Backoff()
        while !isStopping {
            let begin = ContinuousClock.now
            var watch: Task<Void, Never>?
            let exit: String
            do {
                let child = try start()
                watch = started(child)
                exit = "\(await child.exit())"
            } catch {
                exit = "\(error)"
            }
            watch?.cancel()
            if isStopping { return }
            ended(exit)
            log.warning("process ended", metadata: ["process": "\(name)", "exit": "\(exit)"])
            try? await Task.sleep(for: backoff.pause(after: .now - begin))
        }
    }

    private func start(_ arguments: [String], _ environment: [String: String], log: String) throws -> ChildProcess {
        let file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw ClusterError("cannot open \(log): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        return try ChildProcess.start(arguments, environment: environment, output: file, errors: file)
    }

    // MARK: Readiness

    /// Asks a container whether it serves, from inside its pod as `localhost` would: the mesh lets a pod call itself,
    /// so the answer is the program's own.
    private func watch(_ probe: ClusterPlan.Probe, _ container: String, of pod: ClusterPlan.Pod) async {
        guard let ip = IPAddress(pod.address) else { return }
        let target = SocketAddress(ip, probe.port)
        var ready = false
        var failures = 0
        try? await Task.sleep(for: .seconds(probe.initialDelay))
        while !Task.isCancelled {
            let answer = await blocking {
                ProbeConnection.ask(target, path: probe.path, netns: pod.netns, timeout: .seconds(probe.timeout))
            }
            if Task.isCancelled { return }
            let success = answer.map { (200..<400).contains($0.status) } ?? false
            failures = success ? 0 : failures + 1
            if success != ready, success || failures >= probe.failureThreshold {
                ready = success
                change(container, of: pod) { $0.ready = ready }
            }
            // Kubernetes waits a whole period here too; a demonstration should not.
            try? await Task.sleep(for: ready ? .seconds(probe.period) : .milliseconds(100))
        }
    }

    private func watchAgent(on node: ClusterPlan.Node) async {
        guard let address = SocketAddress(node.agent) else { return }
        var known = false
        while !Task.isCancelled {
            let answer = await blocking {
                ProbeConnection.ask(address, path: "/ready", netns: node.netns, timeout: .seconds(1))
            }
            if Task.isCancelled { return }
            let ready = answer?.status == 200
            if ready != known { change(agentOf: node) { $0.ready = ready } }
            known = ready
            try? await Task.sleep(for: ready ? .seconds(2) : .milliseconds(50))
        }
    }
}
