// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Kernel
import Model
import Telemetry

extension Worker {
    /// Takes no more connections; requests under way may end until the deadline.
    mutating func drain(deadline: UInt64) {
        isDraining = true
        drainDeadline = deadline
        for pod in pods.values { closeListeners(pod) }
        for pod in pods.values {
            eachSession(pod) { worker, session in
                if session.pointee.mode == .http && !session.pointee.exchange.isActive { worker.beginClosing(session) }
                if session.pointee.mode == .http2, let mux = session.pointee.down.pointee.mux { worker.sayGoodbye(mux) }
            }
        }
        while let up = idle.takeFirst(where: { _ in true }) { closeConnection(up) }
    }

    /// Looks whether the last session has gone, or the time is up.
    mutating func continueDraining() {
        if now >= drainDeadline {
            for pod in pods.values { eachSession(pod) { worker, session in worker.fail(session, .drainDeadline) } }
            for pod in pods.values { eachSession(pod) { worker, session in worker.end(session) } }
        }
        guard sessionCount == 0, !isFinished else { return }
        isFinished = true
        outbox.put(.drained)
    }

    /// Forgets a pod: nothing of it stays open.
    mutating func withdraw(_ id: StableID) {
        guard let pod = pods[id] else { return }
        pod.pointee.isWithdrawn = true
        closeListeners(pod)
        pod.pointee.stock.drain { close($0) }
        pod.pointee.stockV6.drain { close($0) }
        eachSession(pod) { worker, session in worker.abandon(session) }
        // Connections inside its namespace that belong to sessions of other pods.
        let addresses = Set(pod.pointee.settings.workload.addresses)
        while let up = idle.takeFirst(where: { $0.pointee.pod == pod || addresses.contains($0.pointee.address.ip) }) {
            closeConnection(up)
        }
        for other in pods.values where other != pod {
            eachSession(other) { worker, session in
                guard let up = session.pointee.up, addresses.contains(up.pointee.address.ip) else { return }
                worker.fail(session, .upstreamReset)
            }
        }
        while let mux = muxPool.takeFirst(where: {
            let connection = $0.pointee.connection
            return connection.pointee.pod == pod || addresses.contains(connection.pointee.address.ip)
        }) {
            muxFailed(mux, .upstreamReset)
        }
        while let up = pod.pointee.firstWaiting { upstreamFailed(up, .noHealthyEndpoint) }
        pods[id] = nil
        withdrawn.append(pod)
        refreshTargets()
    }

    private mutating func abandon(_ session: SessionRef) {
        Socket.resetOnClose(session.pointee.down.pointee.descriptor)
        if let up = session.pointee.up { Socket.resetOnClose(up.pointee.descriptor) }
        end(session)
    }

    /// Frees pods that nothing points to any more.
    mutating func buryPods() {
        var kept = 0
        for pod in withdrawn {
            let isTargeted = targets.values.contains { target in
                target.pointee.places.contains { $0.pod == pod }
            }
            if pod.pointee.firstSession != nil || pod.pointee.isActive || pod.pointee.bufferedBytes != 0 || isTargeted {
                withdrawn[kept] = pod
                kept += 1
            } else {
                pod.deinitialize(count: 1)
                pod.deallocate()
            }
        }
        withdrawn.removeLast(withdrawn.count - kept)
    }

    mutating func closeListeners(_ pod: PodRef) {
        closeListener(&pod.pointee.listeners.outbound)
        closeListener(&pod.pointee.listeners.inbound)
    }

    mutating func closeListener(_ listener: inout ConnectionRef?) {
        guard let connection = listener else { return }
        listener = nil
        // The agent has the same listener: closing our number would leave it in our poller.
        poller.remove(connection.pointee.descriptor)
        closeConnection(connection)
    }

    /// Calls `body` for each session that the pod has now; it may end them.
    private mutating func eachSession(_ pod: PodRef, _ body: (inout Worker, SessionRef) -> Void) {
        var next = pod.pointee.firstSession
        while let session = next {
            next = session.pointee.nextInPod
            body(&self, session)
        }
    }
}
