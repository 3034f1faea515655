// SPDX-License-Identifier: Apache-2.0

// Stages 5 and 6, balance and connect: an endpoint is chosen, and a connection to it is taken from where the last request
// left it, from the pool, or made (`Dial.swift`). A failed connect tries another endpoint, as no byte of the request has
// left us.

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

    /// Chooses an endpoint for an exchange, and asks the other pod's policy if it is one of this node.
    mutating func choose(
        _ session: SessionRef, _ exchange: ExchangeRef, promised: Int? = nil
    ) -> Result<Target.Place, Failure> {
        let target = session.pointee.target
        guard let index = promised ?? target.pointee.balancer.pick(now: now, avoiding: exchange.pointee.avoiding) else {
            return .failure(Failure(target.pointee.leadsNowhere ? .noRoute : .noHealthyEndpoint))
        }
        let place = target.pointee.places[index]
        if let other = place.pod, session.pointee.direction == .outbound,
            !other.pointee.settings.policy.allows(isIdentified: true, isInCluster: true)
        {
            other.pointee.count(.policyDenied, .inbound)
            return .failure(Failure(.policyDenied))
        }
        target.pointee.balancer.begin(index)
        exchange.pointee.candidate = index
        exchange.pointee.hasCandidate = true
        exchange.pointee.holdsCandidate = true
        return .success(place)
    }

    /// Finds an upstream for a request that begins now.
    /// - `fresh`: do not reuse a connection.
    mutating func selectUpstream(_ session: SessionRef, fresh: Bool = false) -> Upstream {
        let place: Target.Place
        switch choose(session, session.exchange, promised: promised(session)) {
        case .success(let chosen): place = chosen
        case .failure(let failure):
            fail(session, failure.reason)
            return .failed
        }
        if let up = session.pointee.up {
            if !fresh && up.pointee.address == place.address {
                if isUsable(up) { return .ready }
                if up.pointee.isComing { return .waiting }
            }
            detachUpstream(session)
        }
        if !fresh && !session.pointee.target.pointee.isPinned {
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
        let up = makeUpstream(session, place)
        up.pointee.session = session
        session.pointee.up = up
        connect(up)
        // After a failed connect another one may be under way, or an open connection have been found (it is queued then).
        return session.pointee.up != nil ? .waiting : .failed
    }

    /// The candidate of an upstream that was dialled before the downstream had spoken: it was made for this request.
    private func promised(_ session: SessionRef) -> Int? {
        guard let up = session.pointee.up, !up.pointee.isReused, up.pointee.isComing || isUsable(up) else { return nil }
        let index = session.pointee.exchange.candidate
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
        target.pointee.balancer.fail(session.pointee.exchange.candidate, now: now)
        let others = target.pointee.balancer.readyCount
        session.pointee.exchange.attempts += 1
        let isLast =
            session.pointee.exchange.attempts >= Limits.connectAttempts || others <= 1
            || Int(session.pointee.exchange.attempts) >= others
        // Now, as long as it is known whom it was for.
        if isLast && session.pointee.exchange.isActive && session.pointee.exchange.series == nil {
            countUnsent(session)
        }
        releaseCandidate(session, latency: nil)
        if session.pointee.exchange.candidate < 64 {
            session.pointee.exchange.avoiding |= 1 << UInt64(session.pointee.exchange.candidate)
        }
        let reason = Failure.Reason(connect: errno)
        session.pointee.pod.pointee.count(reason, session.pointee.direction)
        guard isLast else {
            if case .ready = selectUpstream(session) { enqueue(session) }
            return
        }
        fail(session, reason, errno: errno, isCounted: true)
    }

    /// Ends the session's claim on its candidate, if it has one.
    mutating func releaseCandidate(_ session: SessionRef, latency: UInt64?) {
        releaseCandidate(session, session.exchange, latency: latency)
    }

    /// The same for an exchange of the session's; `latency`, in nanoseconds, if the endpoint has answered.
    mutating func releaseCandidate(_ session: SessionRef, _ exchange: ExchangeRef, latency: UInt64?) {
        guard exchange.pointee.holdsCandidate else { return }
        exchange.pointee.holdsCandidate = false
        session.pointee.target.pointee.balancer.end(exchange.pointee.candidate, latency: latency, now: now)
    }

    /// An upstream is open: the request that waited for it goes out, or the bytes do.
    mutating func serveConnected(_ session: SessionRef) {
        switch session.pointee.mode {
        case .http: relayHTTP(session)
        case .opaque: relayOpaque(session)
        case .undecided: detect(session)
        case .detecting, .http2, .closing, .dead: break
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
