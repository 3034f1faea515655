// SPDX-License-Identifier: Apache-2.0

import Addresses
import Kernel
package import Logging
package import Model
import ProxyLink
import Telemetry

/// Brings the kernel and the proxy to the desired state, and keeps them there.
///
/// Level-triggered: it compares what is wanted with what it has done, so a second call does nothing and a restarted proxy
/// is simply told everything again. Runs on a thread of its own because the work enters pods' network namespaces.
/// Order matters: a pod that goes is released by the kernel before the proxy forgets it, and a pod that comes is known to
/// the proxy before the kernel sends its connections there.
package actor Reconciler {
    private let thread = DedicatedThread(name: "apus-redirect")
    nonisolated package var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// Sockets that each worker gets for a pod before it asks.
    static let firstSockets = 8
    /// Waits between attempts to enrol a pod, in seconds; the last one repeats.
    static let retrySeconds = [1.0, 2, 4, 8, 16, 30]
    /// Sockets in one message: `SCM_MAX_FD`.
    static let socketsPerMessage = FDPassing.maximumDescriptors

    let log: Logger
    let store: TelemetryStore
    let counts: AgentCounts
    let clock: @Sendable () -> Double
    private let makeInterception: @Sendable () throws -> any Interception
    var interception: (any Interception)?

    var desired: NodeState?
    var records: [StableID: Record] = [:]
    private var bySlot: [UInt32: StableID] = [:]
    private(set) var link: (any ProxyConnecting)?
    var version: UInt64 = 0
    var appliedVersion: UInt64?
    var configurationRefused: String?
    /// Sockets that workers have asked for and not got.
    var owed: [SocketNeed: Int] = [:]
    var isRepaying = false
    /// Pods of which an adopted proxy has listeners, until the first configuration says whether they are still wanted.
    private var returned: Set<StableID> = []

    /// One pod that is wanted.
    struct Record {
        var pod: LocalPod
        var state: State
        var fuse = SocketFuse()

        enum State {
            case enrolled(Enrolment)
            case failed(reason: String, attempts: Int, retryAt: Double)
        }
    }

    struct Enrolment {
        var slot: UInt32
        var listeners: [EnrolledListener]
        var hasIPv6: Bool
        /// Tells when the path comes to name another namespace.
        var namespaceInode: UInt64
    }

    package init(
        store: TelemetryStore, counts: AgentCounts, log: Logger,
        clock: @escaping @Sendable () -> Double = { Double(MonotonicClock.now()) / 1e9 },
        interception: @escaping @Sendable () throws -> any Interception
    ) {
        self.store = store
        self.counts = counts
        self.log = log
        self.clock = clock
        makeInterception = interception
    }

    // MARK: Life

    /// Loads the kernel programs, or finds those of the agent before.
    package func open() throws { interception = try makeInterception() }

    /// Takes back the listeners that an adopted proxy returned. Before the first ``apply(_:)``.
    package func adopt(listeners: [OwnedDescriptor]) {
        do {
            let count = try interception?.adopt(listeners: listeners.map { $0.descriptor.rawValue }) ?? 0
            log.notice(
                "listeners taken back from the proxy", metadata: ["count": "\(count)", "of": "\(listeners.count)"])
        } catch {
            log.warning(
                "the proxy's listeners are not taken back; new ones will be made", metadata: ["error": "\(error)"])
        }
    }

    /// Takes every pod out of the mesh: from now on their new connections go their own way.
    package func release() {
        for record in records.values { withdraw(record) }
        records = [:]
        bySlot = [:]
    }

    /// Ends. What is in the kernel is left as it is with `keep`, else nothing of any pod stays. After the proxy has ended,
    /// because it lives in a cgroup that goes too.
    package func close(keep: Bool) {
        if !keep { release() }
        do {
            try interception?.close(leaveInPlace: keep)
        } catch {
            log.error("interception was not closed cleanly", metadata: [LogKey.error: "\(error)"])
        }
        interception = nil
        records = [:]
        bySlot = [:]
    }

    // MARK: Desired state

    /// Makes `state` true, as far as possible; pods that fail are reported and tried again later.
    package func apply(_ state: NodeState) async {
        store.replace(with: state)
        let isFirst = desired == nil
        if isFirst || desired?.meshedRanges != state.meshedRanges {
            do {
                try interception?.setMeshedRanges(state.meshedRanges)
            } catch {
                log.error("the meshed ranges could not be set", metadata: ["error": "\(error)"])
            }
        }
        desired = state
        version += 1
        counts.configurationVersion.set(version)

        let wanted = Dictionary(state.pods.map { ($0.workload.id, $0) }) { first, _ in first }
        for (id, record) in records {
            let pod = wanted[id]
            if pod == nil || pod?.networkNamespacePath != record.pod.networkNamespacePath { drop(id) }
        }
        if isFirst { withdrawStrangers(wanted) }
        sendConfiguration()
        for pod in state.pods {
            enrol(pod)
            await Task.yield()  // sockets for pods that are already served must not wait for all of them
        }
    }

    /// Pods that an earlier agent enrolled and that have gone meanwhile.
    private func withdrawStrangers(_ wanted: [StableID: LocalPod]) {
        do {
            try interception?.withdrawAll(except: Set(wanted.values.map(\.workload.uid)))
        } catch {
            log.error("pods of an earlier agent were not withdrawn cleanly", metadata: [LogKey.error: "\(error)"])
        }
        for id in returned where wanted[id] == nil { link?.send(.withdraw(pod: id)) }
        returned = []
    }

    /// Enrols a pod unless nothing about it has changed.
    private func enrol(_ pod: LocalPod) {
        guard let interception else { return }
        let id = pod.workload.id
        let old = records[id]
        if let old, case .enrolled = old.state, old.pod.needsNoNewEnrolment(to: pod) {
            records[id]?.pod = pod
            return
        }
        var record = Record(pod: pod, state: .failed(reason: "", attempts: 0, retryAt: 0), fuse: old?.fuse ?? .init())
        do {
            let inode = try NetworkNamespace(path: pod.networkNamespacePath).inode()
            let enrolled = try interception.enrol(pod)
            let enrolment = Enrolment(
                slot: enrolled.slot,
                listeners: enrolled.listeners.map { EnrolledListener($0.direction, adopting: $0.descriptor) },
                hasIPv6: enrolled.hasIPv6, namespaceInode: inode)
            record.state = .enrolled(enrolment)
            records[id] = record
            bySlot[enrolled.slot] = id
            sendListeners(id)
            sendFirstSockets(id)
            repay(id)
            log.info("pod enrolled", metadata: metadata(pod))
        } catch {
            var attempts = 0
            if case .failed(_, let before, _)? = old?.state { attempts = before }
            let wait = Reconciler.retrySeconds[min(attempts, Reconciler.retrySeconds.count - 1)]
            let reason = "\(error)"
            record.state = .failed(reason: reason, attempts: attempts + 1, retryAt: clock() + wait)
            // A half-done change leaves a pod in a state that nobody described: take it out whole.
            if case .enrolled? = old?.state { drop(id) }
            records[id] = record
            log.warning("pod not enrolled", metadata: metadata(pod, reason: reason))
        }
    }

    /// Takes a pod out of the mesh and forgets it.
    private func drop(_ id: StableID) {
        guard let record = records.removeValue(forKey: id) else { return }
        withdraw(record)
        if case .enrolled(let enrolment) = record.state { bySlot[enrolment.slot] = nil }
        link?.send(.withdraw(pod: id))
        owed = owed.filter { $0.key.pod != id }
        log.info("pod withdrawn", metadata: metadata(record.pod))
    }

    private func withdraw(_ record: Record) {
        do {
            try interception?.withdraw(record.pod)
        } catch {
            log.error("pod not withdrawn cleanly", metadata: metadata(record.pod, reason: "\(error)"))
        }
    }

    /// What time brings: retries, namespaces that were replaced, what the kernel measured. Every second.
    package func tick() {
        let now = clock()
        for (id, record) in records {
            switch record.state {
            case .failed(_, _, let retryAt) where retryAt <= now: enrol(record.pod)
            case .failed: break
            case .enrolled(let enrolment):
                let inode = try? NetworkNamespace(path: record.pod.networkNamespacePath).inode()
                if inode == enrolment.namespaceInode { continue }
                // Our listeners would keep the old namespace alive for ever.
                log.notice("the pod's network namespace was replaced or removed", metadata: metadata(record.pod))
                drop(id)
                enrol(record.pod)
            }
        }
        recordEndedConnections()
        repay()
    }

    private func recordEndedConnections() {
        guard let ended = try? interception?.endedConnections() else { return }
        for connection in ended {
            guard let pod = bySlot[connection.slot] else { continue }
            store.add(
                connectionOf: pod, connection.direction, roundTripMicroseconds: connection.roundTripMicroseconds,
                retransmits: connection.retransmits)
        }
    }

    // MARK: The proxy

    /// A proxy is there and speaks our protocol: it is told everything.
    package func linkUp(_ link: any ProxyConnecting, returned: Set<StableID> = []) {
        self.link = link
        appliedVersion = nil
        self.returned = returned
        guard desired != nil else { return }
        sendConfiguration()
        for id in records.keys {
            sendListeners(id)
            sendFirstSockets(id)
        }
        repay()
    }

    /// The proxy is gone, or another one has taken its place.
    package func linkDown(_ link: any ProxyConnecting) {
        guard self.link === link else { return }
        self.link = nil
        appliedVersion = nil
        owed = [:]
    }

    /// All workers use a configuration.
    package func applied(version: UInt64) {
        appliedVersion = version
        if version == self.version { configurationRefused = nil }
    }

    /// The proxy could not read a configuration: a bug, because we wrote it.
    package func refused(version: UInt64, reason: String) {
        counts.configurationErrors.add(1)
        configurationRefused = "the proxy refused configuration \(version): \(reason)"
        log.error("the proxy refused the configuration", metadata: ["version": "\(version)", "reason": "\(reason)"])
    }

    private func sendConfiguration() {
        guard let link, let desired else { return }
        do {
            let file = try SealedFile.create(desired.encoded())
            link.send(.configuration(version: version), descriptors: [file.rawValue])
            // The descriptor must outlive the call that passes it on.
            withExtendedLifetime(file) {}
        } catch {
            log.error("the configuration cannot be handed to the proxy", metadata: ["error": "\(error)"])
        }
    }

    private func sendListeners(_ id: StableID) {
        guard let link, case .enrolled(let enrolment)? = records[id]?.state else { return }
        for listener in enrolment.listeners {
            link.send(
                .listener(pod: id, slot: enrolment.slot, direction: listener.direction),
                descriptors: [listener.descriptor.rawValue])
        }
    }

    func metadata(_ pod: LocalPod, reason: String? = nil) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            LogKey.namespace: "\(pod.workload.namespace)", LogKey.pod: "\(pod.workload.name)",
        ]
        if let reason { metadata[LogKey.reason] = "\(reason)" }
        return metadata
    }
}

extension LocalPod {
    /// Whether the kernel's view of the pod is the same for both.
    fileprivate func needsNoNewEnrolment(to other: LocalPod) -> Bool {
        workload.addresses == other.workload.addresses && networkNamespacePath == other.networkNamespacePath
            && skipInboundPorts == other.skipInboundPorts && skipOutboundPorts == other.skipOutboundPorts
            && failOpen == other.failOpen
    }
}
