// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Kernel
package import Logging
import Model
import ProxyLink
import Synchronization
import Telemetry

/// Keeps one proxy running and connected: finds the one that an earlier agent left, else starts one, and starts another
/// whenever it dies.
///
/// A death is noticed by the kernel's word (pidfd), not by a timer: the next proxy is on its way within a millisecond, and
/// meanwhile connections wait in the queues of listeners that the agent holds.
package actor ProxySupervisor {
    /// How a proxy is started.
    package struct Options: Sendable {
        package var program: String
        package var socketPath: String
        package var arguments: [String]
        package var node: String
        /// The name of the file that a running one is found to execute; differs from `program` for a script.
        package var executable: String

        package init(program: String, socketPath: String, arguments: [String], node: String, executable: String? = nil)
        {
            self.program = program
            self.socketPath = socketPath
            self.arguments = arguments
            self.node = node
            self.executable = executable ?? program
        }
    }

    /// What `/api/v1/status` says of the proxy.
    package struct Status: Sendable {
        package var pid: Int32?
        package var startedAt: Double?
        package var isConnected: Bool
    }

    /// Seconds that a proxy has to say hello; a start takes 20 ms.
    static let helloSeconds = 10.0
    /// Seconds that a found proxy has to return its listeners.
    static let returnSeconds = 5.0
    /// Lines that the proxy may log in a second: it must not be able to fill a disk.
    static let logLinesPerSecond = 100
    /// Seconds that requests have to end when the agent stops for good.
    static let drainSeconds: UInt32 = 5

    private let options: Options
    private let reconciler: Reconciler
    private let store: TelemetryStore
    private let taps: TapHub
    private let counts: AgentCounts
    private let log: Logger

    private var process: ProxyProcess?
    private var link: ProxyConnection?
    private var phase = Phase.starting
    /// Raised with every link: what an older one still says is not heard.
    private var generation = 0
    private var crashes = CrashBudget()
    private var isStopping = false
    /// Whether listeners of an earlier agent are still to be taken back.
    private var wantsListeners = false
    /// Lines of the proxy's in this second.
    private var logLines = 0
    private var firstUp: [CheckedContinuation<Void, Never>] = []
    private var collection = Collection()

    private enum Phase {
        /// Waiting for hello.
        case starting
        /// Waiting for the listeners of a proxy that was found.
        case returning(pods: Set<StableID>, listeners: [OwnedDescriptor])
        case up
    }

    /// The counters that were asked for.
    private struct Collection {
        var sequence: UInt64 = 0
        var askedAt = 0.0
        var isOutstanding = false
    }

    package init(
        _ options: Options, reconciler: Reconciler, store: TelemetryStore, taps: TapHub, counts: AgentCounts,
        log: Logger
    ) {
        self.options = options
        self.reconciler = reconciler
        self.store = store
        self.taps = taps
        self.counts = counts
        self.log = log
    }

    // MARK: Start

    /// Returns when a proxy has said hello, or when it is clear that it takes longer; a found one has by then returned its
    /// listeners.
    package func start() async {
        if let found = ProxyProcess.find(socketPath: options.socketPath, executable: options.executable) {
            wantsListeners = true
            if connect(to: found) {
                log.notice("a proxy is running and is taken over", metadata: [LogKey.proxyPID: "\(found.pid)"])
            } else {
                // Its watcher starts the next one.
                log.notice(
                    "a proxy is running and does not answer; it is replaced",
                    metadata: [LogKey.proxyPID: "\(found.pid)"])
                found.handle.send(SIGKILL)
            }
        } else {
            spawn()
        }
        await withCheckedContinuation { continuation in
            if case .up = phase { continuation.resume() } else { firstUp.append(continuation) }
        }
    }

    private func spawn() {
        guard !isStopping else { return }
        do {
            let process = try ProxyProcess.start(
                options.program, arguments: options.arguments + ["--tap-base", "\(tapBase)"],
                socketPath: options.socketPath)
            log.info("proxy started", metadata: [LogKey.proxyPID: "\(process.pid)"])
            if !connect(to: process) { process.handle.send(SIGKILL) }
        } catch {
            log.error(
                "the proxy cannot be started", metadata: [LogKey.error: "\(error)", "program": "\(options.program)"])
            resumeFirst()
            let wait = max(1, crashes.died(at: now))
            Task {
                try? await Task.sleep(for: .seconds(wait))
                if self.process == nil { self.spawn() }
            }
        }
    }

    /// Connects to a process's socket and watches both; false if nobody listens there.
    private func connect(to process: ProxyProcess) -> Bool {
        if self.process !== process {
            self.process = process
            process.watch { exit in Task { await self.exited(process, exit) } }
        }
        guard
            let socket = try? Seqpacket.connect(
                path: options.socketPath, sendTimeout: ProxyConnection.sendTimeoutSeconds)
        else { return false }
        generation += 1
        let generation = generation
        let link = ProxyConnection(socket)
        self.link = link
        phase = .starting
        collection.isOutstanding = false
        startReading(link, generation)
        schedule(after: ProxySupervisor.helloSeconds, generation) { supervisor in
            if case .starting = await supervisor.phase { await supervisor.giveUp("no hello from the proxy") }
        }
        return true
    }

    /// What is frequent is served on the link's own thread; the rest waits for this actor, one message at a time.
    private nonisolated func startReading(_ link: ProxyConnection, _ generation: Int) {
        let needs = SocketNeeds()
        let (store, taps, reconciler) = (store, taps, reconciler)
        link.start { incoming in
            switch incoming {
            case .message(.counters(let deltas), _): store.add(deltas)
            case .message(.taps(let events), _): taps.deliver(events)
            case .message(.needSockets(let pod, let ipv6, let worker, let count), _):
                if needs.add(.init(pod: pod, ipv6: ipv6, worker: worker), Int(count)) {
                    Task { for (need, count) in needs.take() { await reconciler.supply(need, count: count) } }
                }
            default:
                let done = DispatchSemaphore(value: 0)
                Task {
                    await self.handle(incoming, from: generation)
                    done.signal()
                }
                done.wait()
            }
        }
    }

    // MARK: Messages

    private func handle(_ incoming: ProxyConnection.Incoming, from generation: Int) async {
        guard generation == self.generation, let link else { return }
        switch incoming {
        case .ended(let reason, let isMalformed): await linkEnded(link, reason, isMalformed)
        case .message(.hello(let version, let instance, _), _):
            await greeted(link, version, instance)
        case .message(.listener(let pod, _, _), let descriptors):
            guard case .returning(var pods, var listeners) = phase else { return }
            pods.insert(pod)
            listeners += descriptors
            phase = .returning(pods: pods, listeners: listeners)
        case .message(.listenersReturned, _): await adopted(link)
        case .message(.applied(let version), _): await reconciler.applied(version: version)
        case .message(.refused(let version, let reason), _): await reconciler.refused(version: version, reason: reason)
        case .message(.collected(let sequence), _):
            guard sequence == collection.sequence else { return }
            collection.isOutstanding = false
            store.commit()
        case .message(.log(let level, let text), _):
            logLines += 1
            guard logLines <= ProxySupervisor.logLinesPerSecond else { return }
            log.log(
                level: level.loggerLevel, "\(text.prefix(1024))", metadata: [LogKey.proxyPID: "\(process?.pid ?? 0)"])
        case .message(.counters, _), .message(.taps, _), .message(.needSockets, _): break
        }
    }

    private func greeted(_ link: ProxyConnection, _ version: UInt32, _ instance: UInt64) async {
        guard case .starting = phase, let process else { return }
        guard version == ProxyLink.version else {
            // Another build's proxy: it goes on with what it has until it has ended, and ours takes the queue over.
            log.notice("the running proxy is of another version", metadata: [LogKey.proxyPID: "\(process.pid)"])
            process.handle.send(SIGKILL)
            return
        }
        store.proxyStarted(instance: instance)
        if wantsListeners, process.isAdopted {
            wantsListeners = false
            phase = .returning(pods: [], listeners: [])
            link.send(.returnListeners)
            schedule(after: ProxySupervisor.returnSeconds, generation) { supervisor in
                if case .returning = await supervisor.phase {
                    await supervisor.giveUp("the listeners do not come back")
                }
            }
        } else {
            await up(link, returned: [])
        }
    }

    private func adopted(_ link: ProxyConnection) async {
        guard case .returning(let pods, let listeners) = phase else { return }
        await reconciler.adopt(listeners: listeners)
        await up(link, returned: pods)
    }

    private func up(_ link: ProxyConnection, returned: Set<StableID>) async {
        phase = .up
        await reconciler.linkUp(link, returned: returned)
        taps.linkUp(link)
        resumeFirst()
    }

    private func resumeFirst() {
        for continuation in firstUp { continuation.resume() }
        firstUp = []
    }

    // MARK: Trouble

    private func linkEnded(_ link: ProxyConnection, _ reason: String, _ isMalformed: Bool) async {
        await detach(link)
        guard let process, !isStopping else { return }
        if isMalformed {
            // Either a bug or a proxy that has been taken over: neither may go on.
            log.error("the proxy's message makes no sense; it is replaced", metadata: [LogKey.reason: "\(reason)"])
            process.handle.send(SIGKILL)
            return
        }
        if process.handle.hasEnded() { return }  // its watcher is on the way
        schedule(after: 0.25, generation) { supervisor in await supervisor.reconnect(process) }
    }

    /// The link has ended and the process has not.
    private func reconnect(_ process: ProxyProcess) {
        guard self.process === process, link == nil, !isStopping, !process.handle.hasEnded() else { return }
        log.warning("the link to the proxy broke", metadata: [LogKey.proxyPID: "\(process.pid)"])
        if !connect(to: process) { process.handle.send(SIGKILL) }
    }

    private func detach(_ link: ProxyConnection) async {
        guard self.link === link else { return }
        self.link = nil
        phase = .starting
        taps.linkDown()
        await reconciler.linkDown(link)
    }

    private func exited(_ process: ProxyProcess, _ exit: ProcessHandle.Exit) async {
        guard self.process === process else { return }
        self.process = nil
        generation += 1
        let old = link
        link = nil
        phase = .starting
        taps.linkDown()
        guard !isStopping else {
            resumeFirst()
            return
        }
        let wait = crashes.died(at: now)
        counts.proxyRestarts.add(1)
        if wait == 0 {
            spawn()
        } else {
            resumeFirst()
            Task {
                try? await Task.sleep(for: .seconds(wait))
                if self.process == nil { self.spawn() }
            }
        }
        // After the start, because the log and the bookkeeping take time that the proxy's own start can use.
        if let old { await reconciler.linkDown(old) }
        log.error(
            "the proxy ended",
            metadata: [LogKey.proxyPID: "\(process.pid)", LogKey.reason: "\(exit)", "wait": "\(wait)"])
    }

    private func giveUp(_ reason: String) {
        log.error("the proxy is replaced", metadata: [LogKey.reason: "\(reason)"])
        resumeFirst()
        process?.handle.send(SIGKILL)
    }

    /// Runs `body` after a while, unless another link has come meanwhile.
    private func schedule(
        after seconds: Double, _ generation: Int, _ body: @escaping @Sendable (ProxySupervisor) async -> Void
    ) {
        Task {
            try? await Task.sleep(for: .seconds(seconds))
            if self.generation == generation { await body(self) }
        }
    }

    // MARK: Every second

    /// Asks for the counters. A proxy that has not answered the last time is asked again after 5 s only.
    package func collect() {
        if logLines > ProxySupervisor.logLinesPerSecond {
            log.warning("lines of the proxy were left out", metadata: ["count": "\(logLines)"])
        }
        logLines = 0
        guard case .up = phase, let link else { return }
        if collection.isOutstanding, now - collection.askedAt < 5 { return }
        if collection.isOutstanding {
            log.warning("the proxy does not answer", metadata: [LogKey.proxyPID: "\(process?.pid ?? 0)"])
        }
        collection.sequence += 1
        collection.askedAt = now
        collection.isOutstanding = true
        link.send(.collect(sequence: collection.sequence))
    }

    package func status() -> Status {
        var isConnected = false
        if case .up = phase { isConnected = true }
        return Status(pid: process?.pid, startedAt: process?.startedAt, isConnected: isConnected)
    }

    // MARK: End

    /// Ends the proxy, or leaves it alone with `keep`.
    package func stop(keep: Bool) async {
        isStopping = true
        defer { resumeFirst() }
        guard !keep, let process else { return }
        link?.send(.drain(seconds: ProxySupervisor.drainSeconds))
        let deadline = Double(ProxySupervisor.drainSeconds) + 1
        if await !hasEnded(process, within: link == nil ? 0 : deadline) { await end(process) }
        unlink(options.socketPath)
        unlink(ProxyProcess.pidPath(options.socketPath))
    }

    private func end(_ process: ProxyProcess) async {
        process.handle.send(SIGKILL)
        _ = await hasEnded(process, within: 5)
    }

    /// Waits on a thread that may block.
    private nonisolated func hasEnded(_ process: ProxyProcess, within seconds: Double) async -> Bool {
        await withCheckedContinuation { continuation in
            let thread = Thread {
                continuation.resume(returning: process.handle.hasEnded(within: CInt(seconds * 1000)))
            }
            thread.start()
        }
    }

    /// Taps number requests from 1 in every proxy, so what comes before must differ between nodes and between starts. The
    /// last byte is the worker's.
    private var tapBase: UInt64 {
        StableID(of: "\(options.node) \(MonotonicClock.now()) \(getpid())").rawValue & 0xffff_ff00
    }

    private var now: Double { Double(MonotonicClock.now()) / 1e9 }
}

extension ProxyMessage.LogLevel {
    fileprivate var loggerLevel: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}
