// SPDX-License-Identifier: Apache-2.0

// Stage 9, account: what happened is added to the series of the pods concerned. For one hop between two pods of this node
// both pods' views are counted from the same events: the caller's outbound and the callee's inbound.

import Addresses
import Model
import ProxyLink
import Routing
import Telemetry
import Wire

extension Worker {
    /// The pod at the other end, if it is one of ours and the hop is one.
    func otherPod(_ session: SessionRef) -> PodRef? {
        guard session.pointee.direction == .outbound, session.pointee.holdsCandidate || session.pointee.up != nil else {
            return nil
        }
        let places = session.pointee.target.pointee.places
        return session.pointee.candidate < places.count ? places[session.pointee.candidate].pod : nil
    }

    /// Who is at the other end, as far as the mesh knows.
    func peer(_ session: SessionRef) -> StableID {
        if session.pointee.direction == .inbound {
            return configuration?.table.peer(at: session.pointee.client.ip)?.id ?? .none
        }
        guard session.pointee.holdsCandidate || session.pointee.up != nil else { return .none }
        let places = session.pointee.target.pointee.places
        return session.pointee.candidate < places.count ? places[session.pointee.candidate].peer : .none
    }

    // MARK: Connections

    mutating func openSeries(_ session: SessionRef) {
        let key = TCPSeriesKey(
            pod: session.pointee.pod.pointee.id, direction: session.pointee.direction, side: .source,
            peer: session.pointee.direction == .inbound ? peer(session) : .none,
            service: session.pointee.target.pointee.service, security: .none)
        let series = self.series.tcp(key)
        series.pointee.open(now)
        session.pointee.down.pointee.series = series
    }

    mutating func openUpstreamSeries(_ session: SessionRef, _ up: ConnectionRef, _ place: Target.Place) {
        let (pod, direction) = (session.pointee.pod.pointee.id, session.pointee.direction)
        let isHop = place.pod != nil && direction == .outbound
        let series = self.series.tcp(
            TCPSeriesKey(
                pod: pod, direction: direction, side: .destination,
                peer: direction == .outbound ? place.peer : .none, service: session.pointee.target.pointee.service,
                security: isHop ? .local : .none))
        series.pointee.open(now)
        up.pointee.series = series
        guard isHop, let other = place.pod else { return }
        let source = self.series.tcp(
            TCPSeriesKey(
                pod: other.pointee.id, direction: .inbound, side: .source, peer: pod, service: .none, security: .local))
        let destination = self.series.tcp(
            TCPSeriesKey(
                pod: other.pointee.id, direction: .inbound, side: .destination, peer: .none, service: .none,
                security: .local))
        source.pointee.open(now)
        destination.pointee.open(now)
        up.pointee.inboundSource = source
        up.pointee.inboundDestination = destination
    }

    mutating func closeSeries(_ connection: ConnectionRef) {
        let errno = connection.pointee.errno
        connection.pointee.series?.pointee.close(errno: errno, now)
        connection.pointee.inboundSource?.pointee.close(errno: errno, now)
        connection.pointee.inboundDestination?.pointee.close(errno: errno, now)
        connection.pointee.series = nil
        connection.pointee.inboundSource = nil
        connection.pointee.inboundDestination = nil
    }

    // MARK: Requests

    /// Finds the series of the request whose head is at `head`, and counts it. Not `isSent`: it never reached the other pod,
    /// whose view therefore does not have it.
    mutating func beginSeries(_ session: SessionRef, at head: UnsafeRawPointer, isSent: Bool) {
        let range = session.pointee.request.authority
        let authority = UnsafeRawBufferPointer(start: head + Int(range.start), count: range.count)
        let hash = SeriesTable.hash(authority)
        let (pod, direction) = (session.pointee.pod, session.pointee.direction)
        let other = otherPod(session)
        let security: TransportSecurity = other != nil ? .local : .none
        let key = HTTPSeries.Key(
            pod: pod.pointee.id, peer: peer(session), service: session.pointee.target.pointee.service,
            authorityHash: hash, direction: direction, security: security)
        let own = series.http(key, authority: authority, pod: pod, now: now)
        own.pointee.requests &+= 1
        own.pointee.isDirty = true
        own.pointee.users += 1
        session.pointee.exchange.series = own
        guard let other, isSent else { return }
        let inboundKey = HTTPSeries.Key(
            pod: other.pointee.id, peer: pod.pointee.id, service: .none, authorityHash: hash, direction: .inbound,
            security: .local)
        let inbound = series.http(inboundKey, authority: authority, pod: other, now: now)
        inbound.pointee.requests &+= 1
        inbound.pointee.isDirty = true
        inbound.pointee.users += 1
        session.pointee.exchange.inboundSeries = inbound
    }

    /// The request under way is over. Not `isComplete`: it broke off, which is a failure whatever its status said.
    mutating func finishExchange(_ session: SessionRef, isComplete: Bool) {
        guard session.pointee.exchange.isActive else { return }
        session.pointee.exchange.isActive = false
        readClock()
        let started = session.pointee.exchange.started
        let responded = max(session.pointee.exchange.responded, started)
        let overhead = session.pointee.exchange.overhead &+ (now &- max(turnStart, started))
        let status = session.pointee.response.hasBegun || isComplete ? session.pointee.response.status : 0
        let isSuccess = isComplete && status < 500
        let latency = responded > started ? responded - started : now &- started
        if let own = session.pointee.exchange.series {
            own.pointee.record(status: status, isSuccess: isSuccess, latency: latency, overhead: overhead)
            own.pointee.users -= 1
        }
        if let inbound = session.pointee.exchange.inboundSeries {
            inbound.pointee.record(status: status, isSuccess: isSuccess, latency: latency, overhead: overhead)
            inbound.pointee.users -= 1
        }
        session.pointee.exchange.series = nil
        session.pointee.exchange.inboundSeries = nil
        session.pointee.exchange.responded = 0
        buffers.release(&session.pointee.request.kept, for: session.pointee.pod)
        if session.pointee.tap.isMarked { tapEnd(session, isComplete: isComplete, responded: responded) }
    }
}
