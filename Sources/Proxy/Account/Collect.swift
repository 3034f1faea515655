// SPDX-License-Identifier: Apache-2.0

import Kernel
import Model
import ProxyLink
import Telemetry

extension Worker {
    /// Sends all that has been counted since the last collection. Once a second; the only place where counting allocates.
    mutating func collect(sequence: UInt64) {
        var batch = CounterBatch(outbox)
        series.collect(now: now, pods: pods) { batch.add($0) }
        for pod in pods.values {
            collect(pod, &batch)
            // A request for sockets may have been lost with an agent: whoever waits depends on somebody asking again.
            if pod.pointee.firstWaiting != nil {
                replenish(pod, ipv6: false)
                replenish(pod, ipv6: true)
            }
        }
        count(.authorityOverflow, series.authorityOverflow)
        series.authorityOverflow = 0
        let threadTime = MonotonicClock.threadTime()
        count(.threadNanoseconds, threadTime - threadTimeReported)
        threadTimeReported = threadTime
        for counter in WorkerCounter.allCases where counters[Int(counter.rawValue)] > 0 {
            batch.add(
                .worker(
                    counter, worker: UInt16(truncatingIfNeeded: handle.index), count: counters[Int(counter.rawValue)]))
            counters[Int(counter.rawValue)] = 0
        }
        batch.flush()
        outbox.put(.collected(sequence: sequence))
        sweepTargets()
        buryPods()
    }

    private func collect(_ pod: PodRef, _ batch: inout CounterBatch) {
        if pod.pointee.processorTime > 0 {
            batch.add(.processorTime(pod: pod.pointee.id, nanoseconds: pod.pointee.processorTime))
            pod.pointee.processorTime = 0
        }
        for direction in Direction.allCases {
            for reason in Failure.Reason.allCases {
                let index = Int(direction.rawValue) * Failure.Reason.allCases.count + reason.index
                let count = pod.pointee.failures[index]
                guard count > 0 else { continue }
                pod.pointee.failures[index] = 0
                batch.add(.failure(pod: pod.pointee.id, direction: direction, reason: reason, count: count))
            }
        }
    }

    /// Forgets destinations that nobody has used for a while.
    private mutating func sweepTargets() {
        for (key, target) in targets
        where target.pointee.sessions == 0 && target.pointee.unusedSince + Limits.idleTarget < now {
            targets[key] = nil
            target.deinitialize(count: 1)
            target.deallocate()
        }
    }
}

/// Packs deltas into messages that the link can send as they are.
private struct CounterBatch {
    /// Room for one more delta of the largest kind (22 statuses with 26 buckets, two full histograms: under 12 KiB).
    private static let full = ProxyLink.maximumMessageBytes - 13_000

    private let outbox: Mailbox<Report>
    private var writer = MessageWriter(reserving: 4096)

    init(_ outbox: Mailbox<Report>) { self.outbox = outbox }

    mutating func add(_ delta: CounterDelta) {
        if writer.bytes.isEmpty { writer.write(ProxyMessage.Kind.counters.rawValue) }
        delta.encode(into: &writer)
        if writer.bytes.count > CounterBatch.full { flush() }
    }

    mutating func flush() {
        guard !writer.bytes.isEmpty else { return }
        outbox.put(.message(writer.bytes))
        writer.removeAll()
    }
}
