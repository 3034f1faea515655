// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// What the command line does with the machine's one cluster: starting its supervisor, asking, ending it.
package struct ClusterControl: Sendable {
    package let state: StateDirectory

    package init(state: StateDirectory) { self.state = state }

    /// The cluster that is there; if none is, the one that would be made.
    package static var current: ClusterControl {
        ClusterControl(state: ClusterLock.recordedState ?? .standard)
    }

    /// The directory of the running program, where `make build` puts the others too.
    package static var programDirectory: String { URL(fileURLWithPath: program).deletingLastPathComponent().path }

    private static var program: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }

    /// Throws unless namespaces can be made.
    package static func requireRoot() throws(ClusterError) {
        guard geteuid() == 0 else {
            throw ClusterError("apus local makes network namespaces and cgroups: run it as root (sudo)")
        }
    }

    // MARK: Up

    /// Writes what a supervisor needs. Throws if a cluster is up.
    package func prepare(_ plan: ClusterPlan, _ settings: SupervisorSettings) throws(ClusterError) {
        try ClusterControl.requireRoot()
        guard !ClusterLock.isHeld else {
            throw ClusterError("a cluster is up already: `apus local status` shows it, `apus local down` ends it")
        }
        try? FileManager.default.removeItem(atPath: state.path)
        try state.create(for: plan)
        try StateDirectory.write(plan, to: state.plan)
        try StateDirectory.write(settings, to: state.settings)
    }

    /// What ``prepare(_:_:)`` wrote, for the supervisor.
    package func prepared() throws(ClusterError) -> (ClusterPlan, SupervisorSettings) {
        guard let plan = plan, let settings = StateDirectory.read(SupervisorSettings.self, from: state.settings) else {
            throw ClusterError("\(state.path) has no plan: start with `apus local up`")
        }
        return (plan, settings)
    }

    /// Starts a supervisor in the background with `arguments` after our own program's path and follows it until the
    /// cluster is up.
    /// - Returns: names of pods that were not ready in time.
    package func startSupervisor(
        _ arguments: [String], interrupt: StopSignals? = nil, progress: @escaping @Sendable (StartProgress) -> Void
    ) async throws(ClusterError) -> [String] {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ClusterError("pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let reader = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        let log = open(state.supervisorLog, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard log >= 0 else { throw ClusterError("cannot open \(state.supervisorLog)") }
        let child: ChildProcess
        do throws(ClusterError) {
            child = try ChildProcess.start([ClusterControl.program] + arguments, output: ends[1], errors: log)
            close(ends[1])
            close(log)
        } catch {
            close(ends[1])
            close(log)
            throw error
        }
        let watcher = Task { if await interrupt?.first() != nil { kill(child.pid, SIGTERM) } }
        defer { watcher.cancel() }
        let last = await blocking { Self.follow(reader, progress) }
        switch last {
        case .up(let unready): return unready
        case .failed(let reason): throw ClusterError(reason)
        default:
            let exit = await child.exit()
            if interrupt != nil, exit == .code(0) { throw ClusterError("interrupted; nothing is left") }
            throw ClusterError("the supervisor ended with \(exit); \(state.supervisorLog) has its last words")
        }
    }

    /// Reads progress up to the last word.
    private static func follow(_ reader: FileHandle, _ progress: (StartProgress) -> Void) -> StartProgress? {
        var buffer = Data()
        while true {
            let chunk = reader.availableData
            guard !chunk.isEmpty else { return nil }
            buffer += chunk
            while let newline = buffer.firstIndex(of: 0x0a) {
                let line = buffer[buffer.startIndex..<newline]
                buffer = Data(buffer[buffer.index(after: newline)...])
                guard let event = try? JSONDecoder().decode(StartProgress.self, from: Data(line)) else { continue }
                switch event {
                case .step, .pods: progress(event)
                case .up, .failed: return event
                }
            }
        }
    }

    // MARK: Down

    /// Ends the cluster, healthy or not, and removes all that is left of it.
    /// - Returns: whether there was anything.
    package func down() async throws(ClusterError) -> Bool {
        try ClusterControl.requireRoot()
        let found = try !Leftovers.find().isEmpty || FileManager.default.fileExists(atPath: state.path)
        if ClusterLock.isHeld {
            if let recorded = ClusterLock.recordedState, recorded != state {
                throw ClusterError(
                    "the cluster that is up keeps its files in \(recorded.path), not \(state.path): leave"
                        + " --state-directory out, or say that one")
            }
            for pid in try ControlGroup.cluster().child("supervisor").processes { kill(pid, SIGTERM) }
            let deadline = ContinuousClock.now + .seconds(30)
            while ClusterLock.isHeld, ContinuousClock.now < deadline { usleep(20_000) }
        }
        guard let lock = try ClusterLock(state: nil) else {
            throw ClusterError("the supervisor does not end: look at \(state.supervisorLog), or kill it and try again")
        }
        try Leftovers.remove()
        try? FileManager.default.removeItem(atPath: state.path)
        lock.remove()
        return found
    }

    // MARK: Asking

    package var plan: ClusterPlan? { StateDirectory.read(ClusterPlan.self, from: state.plan) }
    package var status: ClusterStatus? { StateDirectory.read(ClusterStatus.self, from: state.status) }
    package var directory: ClusterDirectory? { StateDirectory.read(ClusterDirectory.self, from: state.cluster) }

    /// Whether a supervisor is at work.
    package var isRunning: Bool { ClusterLock.isHeld }

    /// The pod that `name` means: `web-xyz`, `emojivoto/web-xyz`, or `deploy/web` for any of a workload's.
    package func pod(_ name: String, namespace: String?) throws(ClusterError) -> ClusterPlan.Pod {
        guard let plan else { throw ClusterError("there is no local cluster: apus local up makes one") }
        let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
        let kinds = ["deploy": "Deployment", "deployment": "Deployment", "sts": "StatefulSet", "ds": "DaemonSet"]
        let found = plan.pods.filter { pod in
            if let namespace, pod.namespace != namespace { return false }
            if parts.count == 2, let kind = kinds[parts[0]] { return pod.ownerKind == kind && pod.owner == parts[1] }
            if parts.count == 2, parts[0] != "pod", parts[0] != "po" {
                return pod.namespace == parts[0] && pod.name == parts[1]
            }
            return pod.name == parts[parts.count - 1]
        }
        guard let first = found.first else {
            throw ClusterError("no pod is called \(name): `apus local status` lists them")
        }
        guard Set(found.map(\.namespace)).count == 1 else {
            throw ClusterError("\(name) is in several namespaces: say which with -n")
        }
        return first
    }
}
