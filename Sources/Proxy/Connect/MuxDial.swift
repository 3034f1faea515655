// SPDX-License-Identifier: Apache-2.0

// Stage 6 for streams: a stream goes to a connection that its pod has to the endpoint, waits for one that is being made or is
// full, or has one made. A request that the upstream cannot have looked at is sent again elsewhere.

import Glibc
import Kernel
import Model
import ProxyLink
import Routing
import Telemetry
import Wire

extension Worker {
    /// Joins a stream to a connection to its endpoint. Not `isRebuilt`: its head is in ``block``.
    mutating func attach(_ stream: StreamRef, _ place: Target.Place, isRebuilt: Bool) {
        let session = stream.pointee.session
        // Whoever chose an address and not a service has its connection for itself, and what it sees of it is its own.
        let owner = session.pointee.target.pointee.isPinned ? session : nil
        let choice = muxPool.choose(pod: session.pointee.pod, address: place.address, owner: owner)
        if let mux = choice.ready {
            guard stream.pointee.needsConnectProtocol else {
                count(.poolHits)
                return open(stream, on: mux, isRebuilt: isRebuilt)
            }
            guard mux.pointee.peer.isKnown else { return wait(stream, for: mux) }
            guard mux.pointee.peer.enablesConnectProtocol else { return refuseConnect(stream) }
            return open(stream, on: mux, isRebuilt: isRebuilt)
        }
        if let mux = choice.leastWaiting {
            // Until its SETTINGS have come it is not known how many it takes.
            let isComing = mux.pointee.connection.pointee.phase != .open || !mux.pointee.peer.isKnown
            let fits = mux.pointee.waiting < Limits.streamsPerDial
            if (isComing && fits) || choice.isHeldOff || choice.count >= Limits.muxesPerEndpoint {
                return wait(stream, for: mux)
            }
        }
        let up = makeUpstream(session, place)
        let mux = makeMux(up, .client, owner: owner)
        muxPool.put(mux)
        wait(stream, for: mux)
        connect(up)
    }

    /// RFC 8441 §3: an upstream that has not said that it knows extended CONNECT is not asked for it.
    private mutating func refuseConnect(_ stream: StreamRef) { failStream(stream, .upstreamRefused, status: 501) }

    /// An upstream that had been dialled, or is being dialled, before its downstream turned out to speak HTTP/2.
    mutating func adopt(_ up: ConnectionRef, _ session: SessionRef) {
        let owner = session.pointee.target.pointee.isPinned ? session : nil
        let mux = makeMux(up, .client, owner: owner)
        muxPool.put(mux)
        if up.pointee.phase == .open { muxConnected(mux) }
    }

    /// The connection is there: the streams that waited for it begin.
    mutating func muxConnected(_ mux: MuxRef) {
        greet(mux)
        startWaiting(mux)
        if mux.pointee.streams.isEmpty { armIdle(mux) }
        // What came with the connection raises no event of its own.
        enqueue(mux.pointee.connection)
    }

    // MARK: Waiting

    private mutating func wait(_ stream: StreamRef, for mux: MuxRef) {
        stream.pointee.awaited = mux
        stream.pointee.nextWaiting = nil
        stream.pointee.previousWaiting = mux.pointee.lastWaiting
        if let last = mux.pointee.lastWaiting {
            last.pointee.nextWaiting = stream
        } else {
            mux.pointee.firstWaiting = stream
        }
        mux.pointee.lastWaiting = stream
        mux.pointee.waiting += 1
        let connection = mux.pointee.connection
        if connection.pointee.phase == .open && !connection.pointee.timer.isSet {
            timers.schedule(connection, at: now + Limits.streamWait)
        }
    }

    mutating func leaveWaiting(_ stream: StreamRef) {
        guard let mux = stream.pointee.awaited else { return }
        let (previous, next) = (stream.pointee.previousWaiting, stream.pointee.nextWaiting)
        if let previous { previous.pointee.nextWaiting = next } else { mux.pointee.firstWaiting = next }
        if let next { next.pointee.previousWaiting = previous } else { mux.pointee.lastWaiting = previous }
        mux.pointee.waiting -= 1
        stream.pointee.awaited = nil
        stream.pointee.previousWaiting = nil
        stream.pointee.nextWaiting = nil
    }

    /// Begins streams that wait, as many as the peer takes.
    mutating func startWaiting(_ mux: MuxRef) {
        guard mux.pointee.connection.pointee.phase == .open else { return }
        for _ in 0..<mux.pointee.waiting {
            guard mux.pointee.hasRoom, let stream = mux.pointee.firstWaiting else { return }
            leaveWaiting(stream)
            if stream.pointee.needsConnectProtocol {
                guard mux.pointee.peer.isKnown else {
                    wait(stream, for: mux)
                    continue
                }
                guard mux.pointee.peer.enablesConnectProtocol else {
                    refuseConnect(stream)
                    continue
                }
            }
            open(stream, on: mux, isRebuilt: true)
        }
    }

    // MARK: Again, elsewhere

    /// Sends a request again that the upstream has not looked at; false if that cannot be done. `needsOther`: only if the
    /// service has another endpoint.
    mutating func retryElsewhere(_ stream: StreamRef, needsOther: Bool) -> Bool {
        let (session, exchange) = (stream.pointee.session, stream.exchange)
        let others = session.pointee.target.pointee.balancer.readyCount
        guard stream.pointee.keepsBody, !stream.pointee.kept.isEmpty, !stream.pointee.up.receivedHead,
            exchange.pointee.attempts + 1 < Limits.connectAttempts, others > 1 || !needsOther, !isDraining
        else { return false }
        forgetUpstream(stream)
        exchange.pointee.attempts += 1
        if others > 1 && exchange.pointee.candidate < 64 {
            exchange.pointee.avoiding |= 1 << UInt64(exchange.pointee.candidate)
        }
        count(.streamsRetried)
        placeAgain(stream)
        return true
    }

    /// Has a request that was refused for want of room wait for room on the same connection; false if that is not why.
    mutating func retryHere(_ stream: StreamRef) -> Bool {
        guard let mux = stream.pointee.up.mux, stream.pointee.keepsBody, !stream.pointee.kept.isEmpty,
            !stream.pointee.up.receivedHead, stream.pointee.exchange.attempts + 1 < Limits.connectAttempts,
            mux.pointee.peer.isKnown, UInt32(mux.pointee.streams.count) > mux.pointee.peer.concurrentStreams,
            !mux.pointee.isRetired, !isDraining
        else { return false }
        forgetUpstream(stream)
        stream.pointee.exchange.attempts += 1
        stream.pointee.forwarded = 0
        count(.streamsRetried)
        wait(stream, for: mux)
        return true
    }

    /// Finds another endpoint for a stream that has none any more.
    private mutating func placeAgain(_ stream: StreamRef) {
        let (session, exchange) = (stream.pointee.session, stream.exchange)
        releaseCandidate(session, exchange, latency: nil)
        stream.pointee.forwarded = 0
        switch choose(session, exchange) {
        case .failure(let failure): failStream(stream, failure.reason)
        case .success(let place):
            moveSeries(stream)
            attach(stream, place, isRebuilt: true)
        }
    }

    /// The request has been given to another endpoint than it was counted for.
    private mutating func moveSeries(_ stream: StreamRef) {
        let exchange = stream.exchange
        exchange.pointee.series?.pointee.giveUp()
        exchange.pointee.inboundSeries?.pointee.giveUp()
        exchange.pointee.series = nil
        exchange.pointee.inboundSeries = nil
        rebuild(stream)
        guard let request = try? HTTP2.RequestFields.read(rebuilt) else { return }
        let authority = UnsafeRawBufferPointer(
            start: rebuilt.bytes + Int(request.authority.start), count: request.authority.count)
        beginSeries(stream.pointee.session, exchange, authority: authority, isSent: false)
    }

    /// A connection could not be made: those that waited for it go elsewhere, or learn it.
    mutating func muxConnectFailed(_ mux: MuxRef, errno: CInt) {
        let connection = mux.pointee.connection
        connection.pointee.errno = errno
        let reason = Failure.Reason(connect: errno)
        muxPool.remove(mux)
        mux.pointee.isRetired = true
        // One failed connect is one failure of the endpoint, however many waited for it.
        var failed: TargetRef?
        while let stream = mux.pointee.firstWaiting {
            leaveWaiting(stream)
            let (session, exchange) = (stream.pointee.session, stream.exchange)
            let target = session.pointee.target
            if failed != target {
                target.pointee.balancer.fail(exchange.pointee.candidate, now: now)
                failed = target
            }
            let others = target.pointee.balancer.readyCount
            exchange.pointee.attempts += 1
            let isLast =
                exchange.pointee.attempts >= Limits.connectAttempts || others <= 1
                || Int(exchange.pointee.attempts) >= others
            session.pointee.pod.pointee.count(reason, session.pointee.direction)
            guard !isLast else {
                failStream(stream, reason, isCounted: true)
                continue
            }
            if exchange.pointee.candidate < 64 {
                exchange.pointee.avoiding |= 1 << UInt64(exchange.pointee.candidate)
            }
            placeAgain(stream)
        }
        closeConnection(connection)
    }

    /// Streams that waited for a connection which takes no more: they wait for another one.
    mutating func reattachWaiting(_ mux: MuxRef) {
        while let stream = mux.pointee.firstWaiting {
            leaveWaiting(stream)
            placeAgain(stream)
        }
    }
}
