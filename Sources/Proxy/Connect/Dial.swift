// SPDX-License-Identifier: Apache-2.0

// Stages 5 and 6, balance and connect: an endpoint is chosen, and a connection to it is taken from where the last request
// left it, from the pool, or made with a socket that the agent prepared in the right namespace. A failed connect tries
// another endpoint, as no byte of the request has left us.

import Addresses
import Glibc
import Kernel
import Model
import ProxyLink
import Routing
import Telemetry

extension Worker {
    enum Upstream {
        /// `session.up` is open.
        case ready
        /// It will be; the session is served again then.
        case waiting
        /// There is none; the session has been told why.
        case failed
    }

    /// Finds an upstream for a request that begins now.
    /// - `fresh`: do not reuse a connection.
    mutating func selectUpstream(_ session: SessionRef, fresh: Bool = false) -> Upstream {
        let target = session.pointee.target
        leaveSocketQueue(session)
        guard
            let index = promised(session)
                ?? target.pointee.balancer.pick(now: now, avoiding: session.pointee.avoiding)
        else {
            fail(session, target.pointee.leadsNowhere ? .noRoute : .noHealthyEndpoint)
            return .failed
        }
        let place = target.pointee.places[index]
        if let other = place.pod, session.pointee.direction == .outbound,
            !other.pointee.settings.policy.allows(isIdentified: true, isInCluster: true)
        {
            other.pointee.count(.policyDenied, .inbound)
            fail(session, .policyDenied)
            return .failed
        }
        target.pointee.balancer.begin(index)
        session.pointee.candidate = index
        session.pointee.holdsCandidate = true
        if let up = session.pointee.up {
            if !fresh && up.pointee.address == place.address {
                if isUsable(up) { return .ready }
                if up.pointee.phase == .connecting { return .waiting }
            }
            detachUpstream(session)
        }
        if !fresh && !target.pointee.isPinned {
            while let up = idle.take(pod: session.pointee.pod, address: place.address) {
                guard isUsable(up) else {
                    closeConnection(up)
                    continue
                }
                count(.poolHits)
                timers.cancel(up)
                up.pointee.session = session
                up.pointee.isReused = true
                session.pointee.up = up
                return .ready
            }
        }
        return connect(session, place)
    }

    /// The candidate of an upstream that was dialled before the downstream had spoken: it was made for this request.
    private func promised(_ session: SessionRef) -> Int? {
        guard let up = session.pointee.up, !up.pointee.isReused, up.pointee.phase == .connecting || isUsable(up) else {
            return nil
        }
        let index = session.pointee.candidate
        let target = session.pointee.target
        // The place may have been given to another endpoint meanwhile.
        guard index < target.pointee.places.count, target.pointee.places[index].address == up.pointee.address,
            target.pointee.balancer.candidates[index].isReady
        else { return nil }
        return index
    }

    private func isUsable(_ up: ConnectionRef) -> Bool {
        up.pointee.phase == .open && !up.pointee.isReadable && !up.pointee.isBroken
    }

    /// Dials for a session that is not a request: undecided or opaque.
    mutating func dial(_ session: SessionRef) {
        if case .ready = selectUpstream(session) { serveConnected(session) }
    }

    /// Starts a connection to a place, with a socket of the right namespace.
    private mutating func connect(_ session: SessionRef, _ place: Target.Place) -> Upstream {
        let namespace = place.pod ?? session.pointee.pod
        let ipv6 = !place.address.ip.isV4
        guard let socket = takeSocket(namespace, ipv6: ipv6) else {
            waitForSocket(session, namespace)
            return .waiting
        }
        if session.pointee.down.pointee.timer.isSet { timers.cancel(session.pointee.down) }
        count(.poolMisses)
        let isInside = place.pod != nil
        // Without a bind the kernel would choose the address by route: a foreign one, as the routes of the capture are not
        // for this socket. Port 0 is chosen at connect (IP_BIND_ADDRESS_NO_PORT), so ports are shared by destination.
        let source = isInside ? place.address.ip : sourceAddress(session, ipv6: ipv6)
        var status = Socket.bind(socket, to: SocketAddress(source, 0), ipv6: ipv6)
        if status == 0 && isInside { ClientAddress.set(on: socket, to: session.pointee.client) }
        let up = connections.take()
        up.initialize(to: Connection(.upstream, .connecting, descriptor: socket, isIPv6: ipv6))
        up.pointee.session = session
        up.pointee.pod = session.pointee.pod
        up.pointee.address = place.address
        session.pointee.up = up
        openUpstreamSeries(session, up, place)
        if status == 0 { status = Socket.connect(socket, to: place.address, ipv6: ipv6) }
        guard status == 0 || status == -Int(EINPROGRESS) else {
            connectFailed(session, errno: CInt(-status))
            return outcome(session)
        }
        do throws(SystemError) {
            try watch(up)
        } catch {
            connectFailed(session, errno: error.errno)
            return outcome(session)
        }
        timers.schedule(up, at: now + Limits.connectTimeout)
        return .waiting
    }

    /// After a failed connect another one may be under way, or an open connection have been found (it is queued then).
    private func outcome(_ session: SessionRef) -> Upstream {
        session.pointee.up != nil || session.pointee.isWaitingForSocket ? .waiting : .failed
    }

    /// The downstream's own address, or its pod's in the other family when the endpoint has only that.
    private func sourceAddress(_ session: SessionRef, ipv6: Bool) -> IPAddress {
        let client = session.pointee.client.ip
        if client.isV4 != ipv6 { return client }
        let addresses = session.pointee.pod.pointee.settings.workload.addresses
        return addresses.first { $0.isV4 != ipv6 } ?? (ipv6 ? .anyV6 : .anyV4)
    }

    /// The kernel has spoken on a connection that was being made.
    mutating func finishConnecting(_ up: ConnectionRef) {
        guard up.pointee.isWritable || up.pointee.isReadable else { return }
        let errno = Socket.pendingError(up.pointee.descriptor)
        timers.cancel(up)
        guard let session = up.pointee.session else { return closeConnection(up) }
        guard errno == 0 else { return connectFailed(session, errno: errno) }
        up.pointee.phase = .open
        up.pointee.isWritable = true
        enqueue(session)
    }

    /// A connection could not be made: another endpoint, or the end.
    mutating func connectFailed(_ session: SessionRef, errno: CInt) {
        let target = session.pointee.target
        if let up = session.pointee.up {
            up.pointee.errno = errno
            closeConnection(up)
        }
        session.pointee.up = nil
        // Dialled for a downstream that has begun to speak HTTP meanwhile: its request, once whole, dials again.
        if session.pointee.mode == .http && session.pointee.request.phase == .head
            && !session.pointee.exchange.isActive
        {
            return
        }
        target.pointee.balancer.fail(session.pointee.candidate, now: now)
        let others = target.pointee.balancer.readyCount
        session.pointee.attempts += 1
        let isLast =
            session.pointee.attempts >= Limits.connectAttempts || others <= 1 || Int(session.pointee.attempts) >= others
        // Now, as long as it is known whom it was for.
        if isLast && session.pointee.exchange.isActive && session.pointee.exchange.series == nil {
            countUnsent(session)
        }
        releaseCandidate(session, latency: nil)
        if session.pointee.candidate < 64 { session.pointee.avoiding |= 1 << UInt64(session.pointee.candidate) }
        let reason: Failure.Reason =
            switch errno {
            case ECONNREFUSED: .connectRefused
            case ETIMEDOUT: .connectTimeout
            default: .connectFailed
            }
        session.pointee.pod.pointee.count(reason, session.pointee.direction)
        guard isLast else {
            if case .ready = selectUpstream(session) { enqueue(session) }
            return
        }
        fail(session, reason, errno: errno, isCounted: true)
    }

    /// Ends the session's claim on its candidate, if it has one.
    mutating func releaseCandidate(_ session: SessionRef, latency: UInt64?) {
        guard session.pointee.holdsCandidate else { return }
        session.pointee.holdsCandidate = false
        session.pointee.target.pointee.balancer.end(session.pointee.candidate, latency: latency, now: now)
    }

    /// An upstream is open: the request that waited for it goes out, or the bytes do.
    mutating func serveConnected(_ session: SessionRef) {
        switch session.pointee.mode {
        case .http: relayHTTP(session)
        case .opaque: relayOpaque(session)
        case .undecided: detect(session)
        case .detecting, .closing, .dead: break
        }
    }

    /// Lets go of an upstream between two requests: to the pool if the next one may come from another connection.
    mutating func detachUpstream(_ session: SessionRef) {
        guard let up = session.pointee.up else { return }
        session.pointee.up = nil
        guard up.pointee.phase == .open, !session.pointee.target.pointee.isPinned, isUsable(up), !isDraining,
            up.pointee.input.isEmpty, up.pointee.output.isEmpty
        else { return closeConnection(up) }
        up.pointee.session = nil
        idle.put(up)
        timers.schedule(up, at: now + Limits.idleUpstream)
    }

    /// An upstream in the pool has ended or spoken out of turn.
    mutating func closeIdle(_ up: ConnectionRef) {
        idle.remove(up)
        closeConnection(up)
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

    private mutating func waitForSocket(_ session: SessionRef, _ pod: PodRef) {
        session.pointee.awaitedNamespace = pod
        session.pointee.nextWaiting = nil
        session.pointee.previousWaiting = pod.pointee.lastWaiting
        if let last = pod.pointee.lastWaiting {
            last.pointee.nextWaiting = session
        } else {
            pod.pointee.firstWaiting = session
        }
        pod.pointee.lastWaiting = session
        pod.pointee.waiting += 1
        // Waiting again, because others came first, does not move the deadline.
        let down = session.pointee.down
        if !down.pointee.timer.isSet { timers.schedule(down, at: now + Limits.socketWait) }
    }

    /// The session does not want a socket any more, or has got one.
    mutating func leaveSocketQueue(_ session: SessionRef) {
        guard let pod = session.pointee.awaitedNamespace else { return }
        let (previous, next) = (session.pointee.previousWaiting, session.pointee.nextWaiting)
        if let previous { previous.pointee.nextWaiting = next } else { pod.pointee.firstWaiting = next }
        if let next { next.pointee.previousWaiting = previous } else { pod.pointee.lastWaiting = previous }
        session.pointee.awaitedNamespace = nil
        session.pointee.previousWaiting = nil
        session.pointee.nextWaiting = nil
        pod.pointee.waiting -= 1
    }

    /// Sockets have come: whoever waited goes on.
    mutating func stock(_ pod: PodRef, ipv6: Bool, _ sockets: [CInt]) {
        for socket in sockets {
            if ipv6 { pod.pointee.stockV6.put(socket) } else { pod.pointee.stock.put(socket) }
        }
        // As many as wait now: those for whom there is none, or of the other family, go to the end of the queue again.
        for _ in 0..<pod.pointee.waiting {
            guard let session = pod.pointee.firstWaiting else { break }
            leaveSocketQueue(session)
            let place = session.pointee.target.pointee.places[session.pointee.candidate]
            _ = connect(session, place)
        }
        replenish(pod, ipv6: ipv6)
    }

    /// The agent has not sent a socket in time.
    mutating func socketWaitExpired(_ session: SessionRef) {
        fail(session, .connectTimeout, errno: ETIMEDOUT)
    }
}
