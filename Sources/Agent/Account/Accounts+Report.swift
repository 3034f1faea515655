// SPDX-License-Identifier: Apache-2.0

package import Model
import ProxyLink
package import Telemetry

extension Accounts {
    /// What the node's pods did in the last `seconds`, for `apus stat`. Workloads in `enrolled` count as meshed.
    package func report(last seconds: Double, enrolled: Set<StableID>, now: Double) -> StatReport {
        func describe(_ workload: Workload) -> StatReport.Pod {
            let isLocal = directory.isLocal(workload.id)
            return .init(workload, meshed: isLocal ? enrolled.contains(workload.id) : workload.meshed)
        }
        let slot = window.sum(last: min(seconds, StatWindow.maximumSeconds), now: now)
        var rows: [RowKey: StatReport.Series] = [:]

        func row(_ key: RowKey) -> StatReport.Series? {
            if let row = rows[key] { return row }
            guard let pod = directory.workload(key.pod) else { return nil }
            let service = directory.service(key.service)
            return StatReport.Series(
                direction: key.direction.label, pod: describe(pod), peer: directory.workload(key.peer).map(describe),
                service: service.map { "\($0.namespace)/\($0.name)" }, authority: key.authority,
                tls: key.security.label, success: 0, failure: 0, latencyBins: [], live: 0,
                tcpOpenConnections: 0, tcpReadBytes: 0, tcpWriteBytes: 0)
        }

        for (key, count) in slot?.http ?? [:] {
            let id = RowKey(key)
            guard var series = row(id) else { continue }
            series.success = count.success
            series.failure = count.failure
            series.latencyBins = count.latency.flattened
            rows[id] = series
        }
        for (key, count) in live.counts {
            guard let (key, _) = placed(key), var series = row(RowKey(key)) else { continue }
            series.live += UInt64(max(0, count))
            rows[RowKey(key)] = series
        }
        for (key, count) in slot?.tcp ?? [:] where key.isOutside {
            let id = RowKey(key)
            guard var series = row(id) else { continue }
            series.tcpReadBytes = count.readBytes
            series.tcpWriteBytes = count.writtenBytes
            rows[id] = series
        }
        for (key, count) in open where key.isOutside {
            let id = RowKey(key)
            guard var series = row(id) else { continue }
            series.tcpOpenConnections = UInt64(max(0, count))
            rows[id] = series
        }
        // Seconds without a proxy count as covered: nothing was served in them. A collection may be a second late.
        let covered = slot.map { max($0.end, now - 2) - $0.start } ?? 0
        return StatReport(
            node: directory.node, windowSeconds: covered, pods: directory.podsOfNode.map(describe),
            series: rows.sorted { $0.key < $1.key }.map(\.value))
    }

    /// What makes a row of its own.
    private struct RowKey: Hashable, Comparable {
        let pod, peer, service: StableID
        let direction: Direction
        let security: TransportSecurity
        let authority: String

        init(_ key: HTTPSeriesKey) {
            (pod, peer, service) = (key.pod, key.peer, key.service)
            (direction, security, authority) = (key.direction, key.security, key.authority)
        }

        init(_ key: TCPSeriesKey) {
            (pod, peer, service) = (key.pod, key.peer, key.service)
            (direction, security, authority) = (key.direction, key.security, "")
        }

        static func < (left: Self, right: Self) -> Bool {
            (left.pod.rawValue, left.peer.rawValue, left.service.rawValue, left.direction.rawValue, left.authority)
                < (
                    right.pod.rawValue, right.peer.rawValue, right.service.rawValue, right.direction.rawValue,
                    right.authority
                )
        }
    }
}

extension TCPSeriesKey {
    /// Whether it speaks of the pod's peer and not of the pod's own application: `stat` counts each byte once.
    fileprivate var isOutside: Bool { direction == .inbound ? side == .source : side == .destination }
}
