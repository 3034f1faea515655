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
    /// The endpoint of an exchange, as long as it is known.
    private func place(_ session: SessionRef, _ exchange: ExchangeRef) -> Target.Place? {
        let places = session.pointee.target.pointee.places
        guard exchange.pointee.hasCandidate, exchange.pointee.candidate < places.count else { return nil }
        return places[exchange.pointee.candidate]
    }

    /// The pod at the other end, if it is one of ours and the hop is one.
    func otherPod(_ session: SessionRef, _ exchange: ExchangeRef) -> PodRef? {
        session.pointee.direction == .outbound ? place(session, exchange)?.pod : nil
    }

    /// Who is at the other end, as far as the mesh knows.
    func peer(_ session: SessionRef, _ exchange: ExchangeRef) -> StableID {
        if session.pointee.direction == .inbound {
            return configuration?.table.peer(at: session.pointee.client.ip)?.id ?? .none
        }
        return place(session, exchange)?.peer ?? .none
    }

    // MARK: Connections

    mutating func openSeries(_ session: SessionRef) {
        let key = TCPSeriesKey(
            pod: session.pointee.pod.pointee.id, direction: session.pointee.direction, side: .source,
            peer: session.pointee.direction == .inbound ? peer(session, session.exchange) : .none,
            service: session.pointee.target.pointee.service, security: .none)
        let series = self.series.tcp(key)
        series.pointee.open(now)
        session.pointee.down.pointee.series = series
    }

    mutating func openUpstreamSeries(_ up: ConnectionRef) {
        guard let pod = up.pointee.pod?.pointee.id else { return }
        let isHop = up.pointee.place != nil && !up.pointee.isInbound
        let series = self.series.tcp(
            TCPSeriesKey(
                pod: pod, direction: up.pointee.isInbound ? .inbound : .outbound, side: .destination,
                peer: up.pointee.isInbound ? .none : up.pointee.peer, service: up.pointee.service,
                security: isHop ? .local : .none))
        series.pointee.open(now)
        up.pointee.series = series
        guard isHop, let other = up.pointee.place else { return }
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

    /// Finds the series of a request to `authority`, and counts it. Not `isSent`: it never reached the other pod, whose view
    /// therefore does not have it.
    mutating func beginSeries(
        _ session: SessionRef, _ exchange: ExchangeRef, authority: UnsafeRawBufferPointer, isSent: Bool
    ) {
        let hash = SeriesTable.hash(authority)
        let (pod, direction) = (session.pointee.pod, session.pointee.direction)
        let other = otherPod(session, exchange)
        let security: TransportSecurity = other != nil ? .local : .none
        let key = HTTPSeries.Key(
            pod: pod.pointee.id, peer: peer(session, exchange), service: session.pointee.target.pointee.service,
            authorityHash: hash, direction: direction, security: security)
        let own = series.http(key, authority: authority, pod: pod, now: now)
        own.pointee.begin()
        exchange.pointee.series = own
        if isSent { beginInboundSeries(session, exchange) }
    }

    /// Counts the request in the view of the pod that it goes to, if that is one of this node.
    mutating func beginInboundSeries(_ session: SessionRef, _ exchange: ExchangeRef) {
        guard let other = otherPod(session, exchange), let own = exchange.pointee.series,
            exchange.pointee.inboundSeries == nil
        else { return }
        let pod = session.pointee.pod
        own.pointee.authority.withUnsafeBytes { authority in
            countInbound(exchange, pod, other, own.pointee.key.authorityHash, authority)
        }
    }

    private mutating func countInbound(
        _ exchange: ExchangeRef, _ pod: PodRef, _ other: PodRef, _ hash: UInt64, _ authority: UnsafeRawBufferPointer
    ) {
        let inboundKey = HTTPSeries.Key(
            pod: other.pointee.id, peer: pod.pointee.id, service: .none, authorityHash: hash, direction: .inbound,
            security: .local)
        let inbound = series.http(inboundKey, authority: authority, pod: other, now: now)
        inbound.pointee.begin()
        exchange.pointee.inboundSeries = inbound
    }

    /// The request under way is over. Not `isComplete`: it broke off, which is a failure whatever its status said.
    mutating func finishExchange(_ session: SessionRef, _ exchange: ExchangeRef, isComplete: Bool) {
        guard exchange.pointee.isActive else { return }
        exchange.pointee.isActive = false
        readClock()
        let started = exchange.pointee.started
        let responded = max(exchange.pointee.responded, started)
        let answer = HTTPSeries.Answer(
            status: exchange.pointee.hasBegun || isComplete ? exchange.pointee.status : 0,
            grpcStatus: exchange.pointee.grpcStatus,
            isSuccess: isComplete && exchange.pointee.status < 500
                && GRPCStatus(rawValue: exchange.pointee.grpcStatus)?.isFailure != true,
            latency: responded > started ? responded - started : now &- started,
            overhead: exchange.pointee.overhead &+ (now &- max(turnStart, started)))
        exchange.pointee.series?.pointee.end(answer)
        exchange.pointee.inboundSeries?.pointee.end(answer)
        exchange.pointee.series = nil
        exchange.pointee.inboundSeries = nil
        exchange.pointee.responded = 0
        if exchange.pointee.tap.isMarked { tapEnd(session, exchange, responded: responded) }
    }

    /// The same for a session that speaks HTTP/1.
    mutating func finishExchange(_ session: SessionRef, isComplete: Bool) {
        finishExchange(session, session.exchange, isComplete: isComplete)
        buffers.release(&session.pointee.request.kept, for: session.pointee.pod)
    }
}
