// SPDX-License-Identifier: Apache-2.0

package import Model
package import ProxyLink
package import Telemetry

/// Everything that was counted on this node: totals for Prometheus and the last ten minutes for `apus stat`.
///
/// A value without clock or lock: `now` is any clock in seconds that does not step back, and a copy is a snapshot.
/// Totals are kept under the labels that they had when they were counted, so that a counter never goes down when a
/// workload behind it goes away.
package struct Accounts: Sendable {
    /// The most series of HTTP and of TCP each. A series costs about 1 KiB here and 7 KiB in a scrape. Beyond it the
    /// authority, the one label that strangers choose, is left out; beyond twice as many, counts are left out.
    package static let maximumSeries = 5_000
    /// How long a series that does not change is kept, in seconds: Linkerd's value.
    package static let idleSeconds = 600.0

    /// The longest authority that is a label, in bytes: that of a DNS name.
    static let maximumAuthorityBytes = 255

    package private(set) var directory = Directory()
    private(set) var http: [LabelSet: HTTPTotals] = [:]
    private(set) var tcp: [LabelSet: TCPTotals] = [:]
    private(set) var pods: [LabelSet: PodTotals] = [:]
    private(set) var workers: [WorkerKey: UInt64] = [:]
    private(set) var overflow: [Overflow: UInt64] = [:]
    private(set) var window = StatWindow()
    /// Connections that are open now, by the proxy's own key.
    private(set) var open: [TCPSeriesKey: Int] = [:]
    private(set) var live = LiveRequests()
    private(set) var usedLatency = UsedBins()
    private(set) var usedOverhead = UsedBins()
    private(set) var usedRoundTrip = UsedBins()

    /// Counts of the collection that is arriving.
    private var pending: StatWindow.Slot?
    private var lastCommit: Double?
    private var lastSweep = 0.0
    private var instance: UInt64?
    private var httpLabels: [HTTPSeriesKey: LabelSet] = [:]
    private var tcpLabels: [TCPSeriesKey: LabelSet] = [:]
    private var podLabels: [StableID: LabelSet] = [:]

    struct WorkerKey: Hashable, Sendable {
        var worker: UInt16
        var counter: WorkerCounter
    }

    /// Why a count is not where it belongs; the raw value is the `reason` label.
    enum Overflow: String, CaseIterable, Sendable {
        /// Folded into the series without authority.
        case authorityFolded = "authority_folded"
        /// Not kept at all.
        case seriesLimit = "series_limit"
        /// The proxy counted for a pod that this node does not have.
        case unknownPod = "unknown_pod"
    }

    package init() {}

    // MARK: What happens

    /// The configuration has changed.
    package mutating func replace(with state: NodeState, now: Double) {
        directory.replace(with: state, at: now)
        httpLabels = [:]
        tcpLabels = [:]
        podLabels = [:]
    }

    /// A proxy has said hello. Another instance has none of the connections of the one before it; open requests are
    /// told anew on every link.
    package mutating func proxyStarted(instance: UInt64, now: Double) {
        if self.instance != instance { open = [:] }
        live.removeAll()
        self.instance = instance
        if lastCommit == nil { lastCommit = now }
    }

    /// Adds what one worker counted.
    package mutating func add(_ delta: CounterDelta, now: Double) {
        switch delta {
        case .http(let key, let delta): add(key, delta, now)
        case .tcp(let key, let delta): add(key, delta, now)
        case .failure(let pod, let direction, let reason, let count):
            withPod(pod, now) { $0.failures[.init(direction: direction, reason: reason), default: 0] &+= count }
        case .processorTime(let pod, let nanoseconds):
            withPod(pod, now) { $0.processorNanoseconds &+= nanoseconds }
        case .worker(let counter, let worker, let count):
            // A worker number is the proxy's claim; no build has more workers than this.
            guard worker < 256 else { return }
            workers[.init(worker: worker, counter: counter), default: 0] &+= count
        }
    }

    /// Adds what the kernel said about a connection that ended.
    package mutating func add(
        connectionOf pod: StableID, _ direction: Direction, roundTripMicroseconds: UInt64, retransmits: UInt64,
        now: Double
    ) {
        withPod(pod, now) { totals in
            let side = Int(direction.rawValue)
            totals.sides[side].connections &+= 1
            totals.sides[side].retransmits &+= retransmits
            // Zero: the connection ended before the kernel had measured anything.
            guard roundTripMicroseconds > 0 else { return }
            totals.sides[side].roundTrip.add(1, to: UInt16(LatencyBins.index(roundTripMicroseconds)))
            totals.sides[side].roundTripSumMicroseconds &+= roundTripMicroseconds
        }
        if roundTripMicroseconds > 0 {
            var one = SparseHistogram()
            one.add(1, to: UInt16(LatencyBins.index(roundTripMicroseconds)))
            usedRoundTrip.insert(one)
        }
    }

    /// A collection is complete.
    package mutating func commit(now: Double) {
        var slot = pending ?? .init(start: lastCommit ?? now, end: now)
        slot.end = now
        window.append(slot)
        pending = nil
        lastCommit = now
        // A connection that changed hands may be closed by one worker's report before another's opens it, so negative
        // numbers mean something only when all reports are in. What is left then are connections that were open before
        // this agent started.
        open = open.filter { $0.value > 0 }
        live.settle()
        if now - lastSweep >= 10 { sweep(now) }
    }

    // MARK: One delta

    private mutating func add(_ proxyKey: HTTPSeriesKey, _ delta: HTTPSeriesDelta, _ now: Double) {
        guard let (key, labels) = place(proxyKey) else { return }
        live.add(delta.liveChange, to: proxyKey.hasLongAuthority ? key : proxyKey)
        http[labels, default: .init()].add(delta)
        http[labels]?.touched = now

        var latency = SparseHistogram()
        var overhead = SparseHistogram()
        for bin in delta.latency { latency.add(UInt64(bin.count), to: bin.bin) }
        for bin in delta.overhead { overhead.add(UInt64(bin.count), to: bin.bin) }
        usedLatency.insert(latency)
        usedOverhead.insert(overhead)
        withPod(key.pod, now) { totals in
            let side = Int(key.direction.rawValue)
            totals.sides[side].latency.add(latency)
            totals.sides[side].latencySumMicroseconds &+= delta.latencySumMicroseconds
            totals.sides[side].overhead.add(overhead)
            totals.sides[side].overheadSumNanoseconds &+= delta.overheadSumNanoseconds
        }

        var count = StatWindow.HTTPCount(latency: latency)
        for entry in delta.responses {
            if entry.isSuccess { count.success &+= entry.count } else { count.failure &+= entry.count }
        }
        withPending(now) { $0.http[key, default: .init()].add(count) }
    }

    private mutating func add(_ key: TCPSeriesKey, _ delta: TCPSeriesDelta, _ now: Double) {
        guard let labels = place(key) else { return }
        tcp[labels, default: .init()].add(delta)
        tcp[labels]?.touched = now
        let closed = delta.closed.reduce(UInt64(0)) { $0 &+ $1.count }
        open[key, default: 0] += Int(clamping: delta.opened) - Int(clamping: closed)
        withPending(now) {
            $0.tcp[key, default: .init()].add(.init(readBytes: delta.readBytes, writtenBytes: delta.writtenBytes))
        }
    }

    /// The key and labels under which an HTTP series is counted; `nil` if it is not.
    private mutating func place(_ key: HTTPSeriesKey) -> (HTTPSeriesKey, LabelSet)? {
        if let labels = httpLabels[key] { return (key, labels) }
        if key.hasLongAuthority { return place(key.withoutAuthority) }
        guard let labels = directory.labels(key) else {
            overflow[.unknownPod, default: 0] += 1
            return nil
        }
        if http[labels] == nil || httpLabels.count >= Accounts.maximumSeries {
            if max(http.count, httpLabels.count) >= Accounts.maximumSeries, !key.authority.isEmpty {
                overflow[.authorityFolded, default: 0] += 1
                return place(key.withoutAuthority)
            }
            if max(http.count, httpLabels.count) >= 2 * Accounts.maximumSeries {
                overflow[.seriesLimit, default: 0] += 1
                return nil
            }
        }
        httpLabels[key] = labels
        return (key, labels)
    }

    /// The key and labels under which open requests of `key` are shown: where ``place(_:)`` has put the series.
    func placed(_ key: HTTPSeriesKey) -> (HTTPSeriesKey, LabelSet)? {
        if let labels = httpLabels[key] { return (key, labels) }
        if let labels = directory.labels(key), http[labels] != nil { return (key, labels) }
        return directory.labels(key.withoutAuthority).map { (key.withoutAuthority, $0) }
    }

    private mutating func place(_ key: TCPSeriesKey) -> LabelSet? {
        if let labels = tcpLabels[key] { return labels }
        guard let labels = directory.labels(key) else {
            overflow[.unknownPod, default: 0] += 1
            return nil
        }
        if max(tcp.count, tcpLabels.count) >= 2 * Accounts.maximumSeries {
            overflow[.seriesLimit, default: 0] += 1
            return nil
        }
        tcpLabels[key] = labels
        return labels
    }

    private mutating func withPod(_ id: StableID, _ now: Double, _ body: (inout PodTotals) -> Void) {
        guard directory.isLocal(id), let pod = directory.workload(id) else {
            overflow[.unknownPod, default: 0] += 1
            return
        }
        let labels = podLabels[id] ?? directory.labels(pod: pod)
        podLabels[id] = labels
        body(&pods[labels, default: .init()])
        pods[labels]?.touched = now
    }

    private mutating func withPending(_ now: Double, _ body: (inout StatWindow.Slot) -> Void) {
        var slot = pending ?? .init(start: lastCommit ?? now, end: now)
        pending = nil
        body(&slot)
        pending = slot
    }

    /// Forgets what has been idle too long, except series with open connections or requests, and what is open in pods
    /// that are long gone: nobody will count their ends.
    private mutating func sweep(_ now: Double) {
        lastSweep = now
        let limit = now - Accounts.idleSeconds
        let directory = directory
        open = open.filter { directory.isLocal($0.key.pod) }
        live.keep { directory.isLocal($0.pod) }
        let connected = Set(open.keys.compactMap { tcpLabels[$0] ?? directory.labels($0) })
        let asked = Set(live.counts.keys.compactMap { placed($0)?.1 })
        http = http.filter { $0.value.touched > limit || asked.contains($0.key) }
        tcp = tcp.filter { $0.value.touched > limit || connected.contains($0.key) }
        let present = Set(directory.localPods.map { directory.labels(pod: $0) })
        pods = pods.filter { $0.value.touched > limit || present.contains($0.key) }
        httpLabels = httpLabels.filter { http[$0.value] != nil }
        tcpLabels = tcpLabels.filter { tcp[$0.value] != nil }
    }
}

extension HTTPSeriesKey {
    /// The same series over all authorities.
    var withoutAuthority: HTTPSeriesKey {
        var key = self
        key.authority = ""
        return key
    }

    fileprivate var hasLongAuthority: Bool { authority.utf8.count > Accounts.maximumAuthorityBytes }
}
