// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Kernel
package import Logging
import Model
import ProxyLink
import Redirect
import ServiceLifecycle
package import Telemetry
import UnixSignals

/// The node's agent: everything that is privileged and nothing that reads strangers' bytes.
///
/// The parts and who tells whom: ``StateSource`` (the file) -> ``Reconciler`` (kernel and proxy) <- ``ProxySupervisor``
/// (the process and its link) -> ``TelemetryStore`` and ``TapHub`` -> ``AdminServer``.
package final class Agent: ServiceLifecycle.Service, AdminSource {
    private let options: AgentOptions
    private let paths: AgentPaths
    private let features: [KernelProbe.Feature]
    private let log: Logger
    private let counts = AgentCounts()
    private let store = TelemetryStore()
    private let taps: TapHub
    private let source: StateSource
    private let reconciler: Reconciler
    private let supervisor: ProxySupervisor
    private let lock: AgentLock
    /// Tells that the admin port is ours.
    private let adminUp = AsyncStream<Void>.makeStream()

    /// Why the agent does not start, in one sentence.
    package struct Refusal: Error, CustomStringConvertible {
        package let description: String
    }

    /// Looks at the machine and the file; changes nothing yet but the run directory.
    package init(_ options: AgentOptions, log: Logger) throws {
        guard geteuid() == 0 else {
            throw Refusal(description: "apus-agent must run as root: it enters pods' namespaces")
        }
        self.options = options
        self.log = log
        paths = try AgentPaths(options)
        features = KernelProbe.run(cgroupPath: paths.cgroup)
        for feature in features where !feature.present {
            log.warning(
                "missing: \(feature.name)", metadata: ["required": "\(feature.required)", "cost": "\(feature.cost)"])
        }
        if let refusal = KernelProbe.refusal(features) { throw Refusal(description: refusal) }
        Agent.raiseDescriptorLimit()
        try FileManager.default.createDirectory(
            atPath: paths.runDirectory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])

        lock = try AgentLock(directory: paths.runDirectory)
        // The proxy's root: it cannot even see a file.
        let emptyDirectory = "\(paths.runDirectory)/empty"
        try FileManager.default.createDirectory(
            atPath: emptyDirectory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o555])
        let workers = options.workers.map { ["--workers", "\($0)"] } ?? []

        taps = TapHub(store: store, counts: counts)
        source = StateSource(
            path: options.statePath, copyPath: "\(paths.runDirectory)/state.yaml", counts: counts, log: log)
        let redirect = RedirectOptions(
            objectDirectory: paths.bpfDirectory, pinDirectory: paths.pinDirectory, cgroupPath: paths.cgroup
        ) { [log] in log.warning("\($0)") }
        reconciler = Reconciler(store: store, counts: counts, log: log) { try KernelInterception(redirect) }
        supervisor = ProxySupervisor(
            .init(
                program: paths.proxy, socketPath: "\(paths.runDirectory)/\(ProxyLink.socketName)",
                arguments: ["--root", emptyDirectory] + workers, node: paths.node),
            reconciler: reconciler, store: store, taps: taps, counts: counts, log: log)
    }

    package static let version = ApusVersion.current

    // MARK: Running

    /// Runs the agent and its admin server until SIGTERM or SIGINT.
    package func runUntilSignalled() async throws {
        let admin = AdminServer(host: options.adminHost, port: options.adminPort, source: self, taps: taps, log: log) {
            [adminUp] _ in
            adminUp.continuation.yield()
        }
        var quiet = log
        quiet.logLevel = max(log.logLevel, .notice)
        try await ServiceGroup(
            configuration: .init(
                services: [self, admin], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        ).run()
    }

    package func run() async throws {
        log.notice("starting", metadata: ["node": "\(paths.node)", "version": "\(ApusVersion.current)"])
        // If the port is taken the agent ends here, before it has touched anything.
        var up = adminUp.stream.makeAsyncIterator()
        guard await up.next() != nil else { return }
        // Before the proxy, because it moves this process into the cgroup that the proxy must be in.
        try await reconciler.open()
        await supervisor.start()
        try? await cancelWhenGracefulShutdown { [self] in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await self.followState() }
                group.addTask { await self.beat() }
                try await group.waitForAll()
            }
        }
        log.notice("stopping", metadata: ["keep": "\(options.keep)"])
        taps.closeAll()
        if !options.keep { await reconciler.release() }
        await supervisor.stop(keep: options.keep)
        await reconciler.close(keep: options.keep)
    }

    private func followState() async {
        if let state = source.next() {
            await take(state)
        } else if let state = source.remembered() {
            log.warning("the last good configuration is used until the file is mended")
            await take(state)
        }
        while !Task.isCancelled {
            try? await Task.sleep(for: StateSource.interval)
            if let state = source.next() { await take(state) }
        }
    }

    private func take(_ state: NodeState) async {
        var state = state
        state.node = paths.node
        await reconciler.apply(state)
        taps.configurationChanged()
        log.info(
            "configuration taken",
            metadata: [
                "pods": "\(state.pods.count)", "workloads": "\(state.workloads.count)",
                "services": "\(state.services.count)",
            ])
    }

    /// What happens every second.
    private func beat() async {
        let clock = ContinuousClock()
        var next = clock.now
        while !Task.isCancelled {
            next = max(next + .seconds(1), clock.now)
            try? await Task.sleep(until: next, clock: clock)
            await supervisor.collect()
            await reconciler.tick()
        }
    }

    /// Listeners, sockets on their way and the proxy's connections: the proxy inherits the limit.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_max = max(limit.rlim_max, rlim_t(descriptorLimit))
        limit.rlim_cur = limit.rlim_max
        if setrlimit(resource, &limit) != 0 {
            getrlimit(resource, &limit)
            limit.rlim_cur = limit.rlim_max
            setrlimit(resource, &limit)
        }
    }

    /// Descriptors that agent and proxy may each have open: 100,000 connections with two ends, and room.
    private static let descriptorLimit = 262_144
}

// MARK: What is shown

extension Agent {
    package func obstacles() async -> [String] { await reconciler.obstacles() }

    package func metrics() async -> [UInt8] {
        let status = await supervisor.status()
        let vitals = NodeVitals(
            node: paths.node, pods: await reconciler.pods(), decisions: await reconciler.decisions(),
            proxyPID: status.pid, isProxyConnected: status.isConnected, taps: taps.count, counts: counts)
        return vitals.page(store.snapshot())
    }

    package func status() async -> StatusReport {
        let proxy = await supervisor.status()
        let obstacles = await reconciler.obstacles()
        return StatusReport(
            node: paths.node, version: ApusVersion.current, ready: obstacles.isEmpty, obstacles: obstacles,
            kernel: features.map {
                .init(feature: $0.name, present: $0.present, required: $0.required, cost: $0.cost)
            },
            configuration: .init(
                path: options.statePath, version: counts.configurationVersion.value, error: source.error),
            proxy: .init(
                pid: proxy.pid,
                startedAt: proxy.startedAt.map { Date(timeIntervalSince1970: $0).ISO8601Format() },
                restarts: counts.proxyRestarts.value, connected: proxy.isConnected),
            pods: await reconciler.pods().map {
                .init(
                    uid: $0.workload.uid, namespace: $0.workload.namespace, name: $0.workload.name,
                    enrolled: $0.isEnrolled, reason: $0.reason ?? "")
            })
    }

    package func stat(window: Double) async -> StatReport {
        let enrolled = await reconciler.pods().filter(\.isEnrolled).map(\.workload.id)
        return store.report(last: window, enrolled: Set(enrolled))
    }
}
