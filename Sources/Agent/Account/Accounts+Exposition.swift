// SPDX-License-Identifier: Apache-2.0

import ProxyLink
package import Telemetry

extension Accounts {
    /// Writes the families that come from the proxy's counters.
    package func write(to page: inout Exposition) {
        let http = self.http.sorted { $0.key.text < $1.key.text }
        let tcp = self.tcp.sorted { $0.key.text < $1.key.text }
        let pods = self.pods.sorted { $0.key.text < $1.key.text }
        writeHTTP(http, to: &page)
        writeTCP(tcp, to: &page)
        writeOpenRequests(http, to: &page)
        writePods(pods, to: &page)
    }

    /// Writes the families about the workers and about the store itself.
    package func writeInternals(to page: inout Exposition) {
        let workers = self.workers.sorted {
            ($0.key.worker, $0.key.counter.rawValue) < ($1.key.worker, $1.key.counter.rawValue)
        }
        page.begin(Catalog.workerEvents)
        for (key, count) in workers where key.counter != .threadNanoseconds {
            page.sample(LabelSet([("worker", "\(key.worker)"), ("event", key.counter.label)]), count)
        }
        page.begin(Catalog.workerProcessorTime)
        for (key, count) in workers where key.counter == .threadNanoseconds {
            page.sample(LabelSet([("worker", "\(key.worker)")]), Double(count) / 1e9)
        }
        page.begin(Catalog.series)
        page.sample(LabelSet([("kind", "http")]), http.count)
        page.sample(LabelSet([("kind", "tcp")]), tcp.count)
        page.begin(Catalog.seriesOverflow)
        for reason in Overflow.allCases {
            page.sample(LabelSet([("reason", reason.rawValue)]), overflow[reason] ?? 0)
        }
    }

    private func writeHTTP(_ series: [(key: LabelSet, value: HTTPTotals)], to page: inout Exposition) {
        page.begin(Catalog.requests)
        for (labels, totals) in series { page.sample(labels, totals.requests) }
        page.begin(Catalog.responses)
        for (labels, totals) in series {
            for (outcome, responses) in totals.sortedResponses {
                page.sample(labels.joined(outcome.labels), responses.count)
            }
        }
        page.begin(Catalog.responseLatency)
        let bounds = LatencyBins.linkerdBoundsMs.map { "\($0)" }
        for (labels, totals) in series {
            // One histogram per status: a status may have come with both classifications.
            var byStatus: [(status: UInt16, responses: HTTPTotals.Responses)] = []
            for (outcome, responses) in totals.sortedResponses {
                if byStatus.last?.status == outcome.status {
                    byStatus[byStatus.count - 1].responses.add(responses)
                } else {
                    byStatus.append((outcome.status, responses))
                }
            }
            for (status, responses) in byStatus {
                page.histogram(
                    labels.with("status_code", "\(status)"), bounds: bounds, counts: responses.latencyMs,
                    sum: "\(responses.latencySumMs)")
            }
        }
    }

    private func writeOpenRequests(_ series: [(key: LabelSet, value: HTTPTotals)], to page: inout Exposition) {
        page.begin(Catalog.requestsOpen)
        var open: [LabelSet: Int] = [:]
        for (key, count) in live.counts {
            if let (_, labels) = placed(key) { open[labels, default: 0] += max(0, count) }
        }
        for (labels, _) in series { page.sample(labels, open[labels] ?? 0) }
    }

    private func writeTCP(_ series: [(key: LabelSet, value: TCPTotals)], to page: inout Exposition) {
        page.begin(Catalog.tcpOpened)
        for (labels, totals) in series { page.sample(labels, totals.opened) }
        page.begin(Catalog.tcpOpen)
        var open: [LabelSet: Int] = [:]
        for (key, count) in self.open {
            if let labels = directory.labels(key) { open[labels, default: 0] += max(0, count) }
        }
        for (labels, _) in series { page.sample(labels, open[labels] ?? 0) }
        page.begin(Catalog.tcpClosed)
        for (labels, totals) in series {
            for (errno, count) in totals.closed.sorted(by: { $0.key < $1.key }) {
                page.sample(errno == 0 ? labels : labels.with("errno", ErrnoName.of(errno)), count)
            }
        }
        page.begin(Catalog.tcpRead)
        for (labels, totals) in series { page.sample(labels, totals.readBytes) }
        page.begin(Catalog.tcpWritten)
        for (labels, totals) in series { page.sample(labels, totals.writtenBytes) }
    }

    private func writePods(_ pods: [(key: LabelSet, value: PodTotals)], to page: inout Exposition) {
        func sides(_ body: (LabelSet, PodTotals.Side) -> Void) {
            for (labels, totals) in pods {
                for direction in Direction.allCases {
                    body(
                        LabelSet([("direction", direction.label)]).joined(labels), totals.sides[Int(direction.rawValue)]
                    )
                }
            }
        }
        page.begin(Catalog.fineLatency)
        let latency = usedLatency.bounds
        let latencyText = Exposition.bounds(latency, unitsPerSecond: 1e6)
        sides { labels, side in
            guard !side.latency.isEmpty else { return }
            page.histogram(
                labels, side.latency, over: latency, bounds: latencyText,
                sum: Double(side.latencySumMicroseconds) / 1e6)
        }
        page.begin(Catalog.overhead)
        let overhead = usedOverhead.bounds
        let overheadText = Exposition.bounds(overhead, unitsPerSecond: 1e7)
        sides { labels, side in
            guard !side.overhead.isEmpty else { return }
            page.histogram(
                labels, side.overhead, over: overhead, bounds: overheadText,
                sum: Double(side.overheadSumNanoseconds) / 1e9)
        }
        page.begin(Catalog.podProcessorTime)
        for (labels, totals) in pods { page.sample(labels, Double(totals.processorNanoseconds) / 1e9) }
        page.begin(Catalog.failures)
        for (labels, totals) in pods {
            let failures = totals.failures.sorted {
                ($0.key.direction.rawValue, $0.key.reason.rawValue) < (
                    $1.key.direction.rawValue, $1.key.reason.rawValue
                )
            }
            for (key, count) in failures {
                page.sample(
                    LabelSet([("direction", key.direction.label)]).joined(labels).with("reason", key.reason.rawValue),
                    count)
            }
        }
        page.begin(Catalog.roundTrip)
        let roundTrip = usedRoundTrip.bounds
        let roundTripText = Exposition.bounds(roundTrip, unitsPerSecond: 1e6)
        sides { labels, side in
            guard !side.roundTrip.isEmpty else { return }
            page.histogram(
                labels, side.roundTrip, over: roundTrip, bounds: roundTripText,
                sum: Double(side.roundTripSumMicroseconds) / 1e6)
        }
        page.begin(Catalog.retransmits)
        sides { labels, side in
            if side.connections > 0 { page.sample(labels, side.retransmits) }
        }
    }
}

extension HTTPTotals {
    /// By status, successes first.
    fileprivate var sortedResponses: [(key: Outcome, value: Responses)] {
        responses.sorted { $0.key.order < $1.key.order }
    }
}

extension HTTPTotals.Outcome {
    fileprivate var order: (UInt16, Int, UInt8) { (status, isSuccess ? 0 : 1, grpcStatus) }

    /// What is not gRPC has no `grpc_status`.
    fileprivate var labels: LabelSet {
        LabelSet([
            ("classification", isSuccess ? "success" : "failure"), ("status_code", "\(status)"),
            ("grpc_status", GRPCStatus(rawValue: grpcStatus).map { "\($0.rawValue)" } ?? ""),
        ])
    }
}

extension HTTPTotals.Responses {
    fileprivate mutating func add(_ other: Self) {
        count &+= other.count
        latencySumMs &+= other.latencySumMs
        for index in latencyMs.indices { latencyMs[index] &+= other.latencyMs[index] }
    }
}
