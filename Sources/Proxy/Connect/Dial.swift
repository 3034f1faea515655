// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Kernel
import Model
import ProxyLink
import Telemetry

extension Worker {
    /// A connection of the session's pod to a place, not yet begun.
    mutating func makeUpstream(_ session: SessionRef, _ place: Target.Place) -> ConnectionRef {
        count(.poolMisses)
        let up = connections.take()
        up.initialize(
            to: Connection(.upstream, .awaitingSocket, descriptor: -1, isIPv6: !place.address.ip.isV4))
        up.pointee.pod = session.pointee.pod
        up.pointee.address = place.address
        up.pointee.place = place.pod
        up.pointee.client = session.pointee.client
        up.pointee.isInbound = session.pointee.direction == .inbound
        up.pointee.peer = place.peer
        up.pointee.service = session.pointee.target.pointee.service
        return up
    }

    /// Connects, with a socket of the right namespace; waits for one if there is none. Failure is told to whoever the
    /// connection belongs to before this returns.
    mutating func connect(_ up: ConnectionRef) {
        guard let pod = up.pointee.pod else { return }
        let ipv6 = up.pointee.isIPv6
        guard let socket = takeSocket(up.pointee.place ?? pod, ipv6: ipv6) else { return waitForSocket(up) }
        timers.cancel(up)
        up.pointee.descriptor = socket
        up.pointee.phase = .connecting
        let isInside = up.pointee.place != nil
        // Without a bind the kernel would choose the address by route: a foreign one, as the routes of the capture are not
        // for this socket. Port 0 is chosen at connect (IP_BIND_ADDRESS_NO_PORT), so ports are shared by destination.
        let source = isInside ? up.pointee.address.ip : sourceAddress(up, pod)
        var status = Socket.bind(socket, to: SocketAddress(source, 0), ipv6: ipv6)
        if status == 0 && isInside { ClientAddress.set(on: socket, to: up.pointee.client) }
        openUpstreamSeries(up)
        if status == 0 { status = Socket.connect(socket, to: up.pointee.address, ipv6: ipv6) }
        guard status == 0 || status == -Int(EINPROGRESS) else {
            return upstreamConnectFailed(up, errno: CInt(-status))
        }
        do throws(SystemError) {
            try watch(up)
        } catch {
            return upstreamConnectFailed(up, errno: error.errno)
        }
        timers.schedule(up, at: now + Limits.connectTimeout)
    }

    /// The downstream's own address, or its pod's in the other family when the endpoint has only that.
    private func sourceAddress(_ up: ConnectionRef, _ pod: PodRef) -> IPAddress {
        let (client, ipv6) = (up.pointee.client.ip, up.pointee.isIPv6)
        if client.isV4 != ipv6 { return client }
        return pod.pointee.settings.workload.addresses.first { $0.isV4 != ipv6 } ?? (ipv6 ? .anyV6 : .anyV4)
    }

    /// The kernel has spoken on a connection that was being made.
    mutating func finishConnecting(_ up: ConnectionRef) {
        guard up.pointee.isWritable || up.pointee.isReadable else { return }
        let errno = Socket.pendingError(up.pointee.descriptor)
        timers.cancel(up)
        guard errno == 0 else { return upstreamConnectFailed(up, errno: errno) }
        up.pointee.phase = .open
        up.pointee.isWritable = true
        if let mux = up.pointee.mux {
            muxConnected(mux)
        } else if let session = up.pointee.session {
            enqueue(session)
        } else {
            closeConnection(up)
        }
    }

    /// A connection could not be made.
    mutating func upstreamConnectFailed(_ up: ConnectionRef, errno: CInt) {
        if let mux = up.pointee.mux {
            muxConnectFailed(mux, errno: errno)
        } else if let session = up.pointee.session {
            connectFailed(session, errno: errno)
        } else {
            closeConnection(up)
        }
    }

    /// A connection that is not open yet has become useless.
    mutating func upstreamFailed(_ up: ConnectionRef, _ reason: Failure.Reason, errno: CInt = 0) {
        if let mux = up.pointee.mux {
            muxFailed(mux, reason)
        } else if let session = up.pointee.session {
            fail(session, reason, errno: errno)
        } else {
            closeConnection(up)
        }
    }
}

// MARK: - Sockets that the agent makes

extension Worker {
    private mutating func takeSocket(_ pod: PodRef, ipv6: Bool) -> CInt? {
        let socket = ipv6 ? pod.pointee.stockV6.take() : pod.pointee.stock.take()
        replenish(pod, ipv6: ipv6)
        return socket
    }

    /// Asks the agent for more before there are none.
    mutating func replenish(_ pod: PodRef, ipv6: Bool) {
        let isLow = ipv6 ? pod.pointee.stockV6.isLow(now: now) : pod.pointee.stock.isLow(now: now)
        guard isLow, !pod.pointee.isWithdrawn else { return }
        let count = ipv6 ? pod.pointee.stockV6.ask(now: now) : pod.pointee.stock.ask(now: now)
        outbox.put(
            .needSockets(
                pod: pod.pointee.id, ipv6: ipv6, worker: UInt16(truncatingIfNeeded: handle.index), count: count))
    }

    private mutating func waitForSocket(_ up: ConnectionRef) {
        guard let pod = up.pointee.place ?? up.pointee.pod else { return }
        up.pointee.idleNext = nil
        up.pointee.idlePrevious = pod.pointee.lastWaiting
        if let last = pod.pointee.lastWaiting {
            last.pointee.idleNext = up
        } else {
            pod.pointee.firstWaiting = up
        }
        pod.pointee.lastWaiting = up
        pod.pointee.waiting += 1
        // Waiting again, because others came first, does not move the deadline.
        if !up.pointee.timer.isSet { timers.schedule(up, at: now + Limits.socketWait) }
    }

    /// The connection does not want a socket any more, or is about to get one.
    mutating func leaveSocketQueue(_ up: ConnectionRef) {
        guard let pod = up.pointee.place ?? up.pointee.pod else { return }
        let (previous, next) = (up.pointee.idlePrevious, up.pointee.idleNext)
        // It is not in the queue in the moment in which it is made.
        guard previous != nil || next != nil || pod.pointee.firstWaiting == up else { return }
        if let previous { previous.pointee.idleNext = next } else { pod.pointee.firstWaiting = next }
        if let next { next.pointee.idlePrevious = previous } else { pod.pointee.lastWaiting = previous }
        up.pointee.idlePrevious = nil
        up.pointee.idleNext = nil
        pod.pointee.waiting -= 1
    }

    /// Sockets have come: whoever waited goes on.
    mutating func stock(_ pod: PodRef, ipv6: Bool, _ sockets: [CInt]) {
        for socket in sockets {
            if ipv6 { pod.pointee.stockV6.put(socket) } else { pod.pointee.stock.put(socket) }
        }
        // As many as wait now: those for whom there is none, or of the other family, go to the end of the queue again.
        for _ in 0..<pod.pointee.waiting {
            guard let up = pod.pointee.firstWaiting else { break }
            leaveSocketQueue(up)
            connect(up)
        }
        replenish(pod, ipv6: ipv6)
    }

    /// The agent has not sent a socket in time.
    mutating func socketWaitExpired(_ up: ConnectionRef) { upstreamFailed(up, .connectTimeout, errno: ETIMEDOUT) }
}

extension Failure.Reason {
    /// Why a connect failed, by what the kernel said.
    init(connect errno: CInt) {
        self =
            switch errno {
            case ECONNREFUSED: .connectRefused
            case ETIMEDOUT: .connectTimeout
            default: .connectFailed
            }
    }
}
