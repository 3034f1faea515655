// SPDX-License-Identifier: Apache-2.0

import Addresses
import Logging
import Model
import ProxyLink

/// Sockets made inside pods for the proxy, which cannot enter a namespace itself.
extension Reconciler {
    func sendFirstSockets(_ id: StableID) {
        guard let link, case .enrolled(let enrolment)? = records[id]?.state, let pod = records[id]?.pod else { return }
        let usesIPv6 = enrolment.hasIPv6 && pod.workload.addresses.contains { !$0.isV4 }
        let usesIPv4 = pod.workload.addresses.contains { $0.isV4 }
        for worker in 0..<link.workers {
            if usesIPv4 { supply(.init(pod: id, ipv6: false, worker: worker), count: Reconciler.firstSockets) }
            if usesIPv6 { supply(.init(pod: id, ipv6: true, worker: worker), count: Reconciler.firstSockets) }
        }
    }

    /// Makes sockets inside a pod for one worker, as many as the pod's ``SocketFuse`` lets through.
    ///
    /// A worker asks once and waits, so what it does not get now is owed to it: a pod that is not enrolled yet, because
    /// this agent has just started, gets it then, and what the fuse held back or the kernel refused comes a little later.
    package func supply(_ need: SocketNeed, count: Int) {
        guard let link, let interception else { return owe(need, count) }
        guard need.worker < link.workers else { return }
        guard let record = records[need.pod], case .enrolled = record.state else {
            // Before the first configuration nobody knows which pods there are.
            guard desired == nil || records[need.pod] != nil || isWanted(need.pod) else {
                counts.socketsRefusedUnknownPod.add(UInt64(count))
                return
            }
            owe(need, count)
            return
        }
        let allowed = records[need.pod]?.fuse.take(count, now: clock()) ?? 0
        if allowed < count {
            counts.socketsRefusedFuse.add(UInt64(count - allowed))
            owe(need, count - allowed)
            repayLater()
        }
        var left = allowed
        while left > 0 {
            let batch = min(left, Reconciler.socketsPerMessage)
            left -= batch
            do {
                let sockets = try interception.makeSockets(record.pod, ipv6: need.ipv6, count: batch)
                let owned = sockets.map { OwnedDescriptor($0) }
                link.send(
                    .sockets(pod: need.pod, ipv6: need.ipv6, worker: need.worker), descriptors: sockets)
                counts.socketsBrokered.add(UInt64(owned.count))
            } catch {
                counts.socketsRefusedError.add(UInt64(left + batch))
                owe(need, left + batch)
                log.warning("no sockets for the pod", metadata: metadata(record.pod, reason: "\(error)"))
                return
            }
        }
    }

    private func owe(_ need: SocketNeed, _ count: Int) {
        guard owed.count < SocketNeeds.maximum || owed[need] != nil else { return }
        owed[need] = min((owed[need] ?? 0) + count, Reconciler.socketsPerMessage)
    }

    private func isWanted(_ id: StableID) -> Bool { desired?.pods.contains { $0.workload.id == id } ?? false }

    /// Serves what is owed to one pod, or to all.
    func repay(_ pod: StableID? = nil) {
        for (need, count) in owed where pod == nil || need.pod == pod {
            owed[need] = nil
            supply(need, count: count)
        }
    }

    /// The fuse fills up again within this time; a tick would be too late for the sessions that wait.
    private func repayLater() {
        guard !isRepaying else { return }
        isRepaying = true
        Task {
            try? await Task.sleep(for: .milliseconds(50))
            isRepaying = false
            repay()
        }
    }
}
