// SPDX-License-Identifier: Apache-2.0

// The ends of HTTP/2 connections (RFC 9113 §5.4.1, §6.8): by an error of the peer's, by GOAWAY of either side, by loss, by
// idleness. Streams are ended or moved first; the connection is closed when it has none.

import Glibc
import Kernel
import ProxyLink
import Telemetry
import Wire

extension Worker {
    /// The peer has broken a rule of the connection: GOAWAY, and the end.
    mutating func connectionError(_ mux: MuxRef, _ error: HTTP2Error) {
        let connection = mux.pointee.connection
        let isInbound = connection.pointee.isInbound
        // The reader itself knows one flood.
        if error.code == .enhanceYourCalm && mux.pointee.reader.isInHeaderBlock { count(.continuationFlood) }
        emit(mux, HTTP2.FrameWriter.largestControlFrame) {
            HTTP2.FrameWriter.goAway($0, last: mux.pointee.lastPeerStream, error.code)
        }
        if mux.pointee.role == .client {
            _ = flush(connection)
            Socket.endWriting(connection.pointee.descriptor)
            return muxFailed(mux, .malformedResponse)
        }
        guard let session = mux.pointee.owner else { return }
        let reason: Failure.Reason = error.code == .enhanceYourCalm ? .floodLimit : .malformedMessage
        if error.code != .enhanceYourCalm {
            connection.pointee.pod?.pointee.count(reason, isInbound ? .inbound : .outbound)
        }
        session.pointee.exchange.failure = reason
        endStreams(mux, reason)
        mux.pointee.isClosed = true
        beginClosing(session)
    }

    /// All streams of a downstream end with it.
    mutating func endStreams(_ mux: MuxRef, _ reason: Failure.Reason) {
        while let stream = mux.pointee.streams.any {
            if stream.pointee.exchange.isActive { stream.pointee.exchange.failure = reason }
            countUnsent(stream)
            closeStream(stream)
        }
    }

    /// The peer has ended the connection.
    mutating func muxLost(_ mux: MuxRef) {
        let connection = mux.pointee.connection
        guard mux.pointee.role == .server else {
            return muxFailed(mux, connection.pointee.errno == 0 ? .upstreamClosed : .upstreamReset, isLoss: true)
        }
        guard let session = mux.pointee.owner else { return }
        endStreams(mux, .downstreamReset)
        if connection.pointee.errno != 0 {
            session.pointee.exchange.failure = .downstreamReset
            return end(session)
        }
        mux.pointee.isClosed = true
        beginClosing(session)
    }

    /// A connection to an upstream is of no use any more: its requests fail, those that wait for it go elsewhere. With
    /// `isLoss`, which is nobody's fault, requests that may be repeated (RFC 9110 §9.2.2) go elsewhere too.
    mutating func muxFailed(_ mux: MuxRef, _ reason: Failure.Reason, isLoss: Bool = false) {
        muxPool.remove(mux)
        mux.pointee.isRetired = true
        mux.pointee.isClosed = true
        while let stream = mux.pointee.streams.any {
            if stream.pointee.up.receivedEnd {
                // It has answered; what waits for the downstream is still delivered.
                forgetUpstream(stream)
                closeIfOver(stream)
                continue
            }
            if isLoss && stream.pointee.method.isIdempotent && retryElsewhere(stream, needsOther: false) { continue }
            forgetUpstream(stream)
            failStream(stream, reason)
        }
        if mux.pointee.connection.pointee.phase == .open {
            reattachWaiting(mux)
        } else {
            while let stream = mux.pointee.firstWaiting { failStream(stream, reason) }
        }
        closeConnection(mux.pointee.connection)
    }

    /// GOAWAY has come.
    mutating func onGoAway(_ mux: MuxRef, last: UInt32) {
        guard mux.pointee.role == .client else { return }  // it will make no more requests; those it made are served
        muxPool.remove(mux)
        mux.pointee.isRetired = true
        while let stream = mux.pointee.streams.first(where: { $0.pointee.up.id > last }) {
            if retryElsewhere(stream, needsOther: false) { continue }
            // Not looked at: whoever made the request is told so, and may repeat it itself (RFC 9113 §8.7).
            forgetUpstream(stream)
            stream.pointee.exchange.failure = .upstreamRefused
            let session = stream.pointee.session
            session.pointee.pod.pointee.count(.upstreamRefused, session.pointee.direction)
            resetDownstream(stream, .refusedStream)
        }
        reattachWaiting(mux)
        if let owner = mux.pointee.owner, let down = owner.pointee.down.pointee.mux { sayGoodbye(down) }
        if mux.pointee.streams.isEmpty { closeIdleMux(mux) }
    }

    /// A stream has left a connection.
    mutating func muxStreamEnded(_ mux: MuxRef) {
        guard !mux.pointee.isClosed, mux.pointee.connection.pointee.phase == .open else { return }
        if mux.pointee.role == .client {
            if mux.pointee.waiting > 0 { startWaiting(mux) }
            guard mux.pointee.streams.isEmpty else { return }
            if mux.pointee.isRetired || isDraining { return closeIdleMux(mux) }
            return armIdle(mux)
        }
        if mux.pointee.streams.isEmpty && mux.pointee.lastServed < HTTP2.lastStream, let session = mux.pointee.owner,
            session.pointee.mode == .http2
        {
            mux.pointee.isClosed = true
            beginClosing(session)
        }
    }

    /// From now on it waits for streams; not for ever.
    mutating func armIdle(_ mux: MuxRef) {
        mux.pointee.idleSince = now
        let connection = mux.pointee.connection
        if !connection.pointee.timer.isSet { timers.schedule(connection, at: now + Limits.idleUpstream) }
    }

    /// Closes an upstream's connection that has no stream.
    private mutating func closeIdleMux(_ mux: MuxRef) {
        muxPool.remove(mux)
        mux.pointee.isRetired = true
        emit(mux, HTTP2.FrameWriter.largestControlFrame) { HTTP2.FrameWriter.goAway($0, last: 0, .noError) }
        _ = flush(mux.pointee.connection)
        closeConnection(mux.pointee.connection)
    }

    /// A deadline of the connection has passed. It has one timer for all of them, so this looks at each.
    mutating func muxExpired(_ mux: MuxRef) {
        let connection = mux.pointee.connection
        let isPartial = !connection.pointee.input.isEmpty
        if isPartial && mux.pointee.partialSince + Limits.headTimeout > now {
            timers.schedule(connection, at: mux.pointee.partialSince + Limits.headTimeout)
        } else if isPartial || mux.pointee.reader.isInHeaderBlock {
            connection.pointee.pod?.pointee.count(.requestTimeout, connection.pointee.isInbound ? .inbound : .outbound)
            return connectionError(mux, HTTP2Error(.protocolError))
        }
        if mux.pointee.role == .client {
            while let stream = mux.pointee.firstWaiting {
                guard stream.pointee.exchange.started + Limits.streamWait <= now else {
                    timers.schedule(connection, at: stream.pointee.exchange.started + Limits.streamWait)
                    break
                }
                failStream(stream, .upstreamRefused)
            }
            if mux.pointee.streams.isEmpty && mux.pointee.waiting == 0 {
                if mux.pointee.idleSince + Limits.idleUpstream <= now { return closeIdleMux(mux) }
                timers.schedule(connection, at: mux.pointee.idleSince + Limits.idleUpstream)
            }
        }
        enqueue(connection)
    }

    // MARK: Goodbye

    /// Tells a downstream to make no more requests here (RFC 9113 §6.8): first that the end is near, and, once the answer to
    /// a PING shows that it knows, which request was the last.
    mutating func sayGoodbye(_ mux: MuxRef) {
        guard !mux.pointee.hasSaidGoodbye else { return }
        mux.pointee.hasSaidGoodbye = true
        emit(mux, 2 * HTTP2.FrameWriter.largestControlFrame) { output in
            let at = HTTP2.FrameWriter.goAway(output, last: HTTP2.lastStream, .noError)
            return at + HTTP2.FrameWriter.ping(output + at, opaque: 0, isAck: false)
        }
    }

    /// The answer to the PING of ``sayGoodbye(_:)``.
    mutating func onPong(_ mux: MuxRef) {
        guard mux.pointee.hasSaidGoodbye, mux.pointee.lastServed == HTTP2.lastStream, mux.pointee.role == .server else {
            return
        }
        mux.pointee.lastServed = mux.pointee.lastPeerStream
        emit(mux, HTTP2.FrameWriter.largestControlFrame) {
            HTTP2.FrameWriter.goAway($0, last: mux.pointee.lastServed, .noError)
        }
        muxStreamEnded(mux)
    }

    /// The connection has been closed: nothing points to what it carried any more.
    mutating func abandonMux(_ mux: MuxRef) {
        mux.pointee.isClosed = true
        muxPool.remove(mux)
        if mux.pointee.role == .client, let owner = mux.pointee.owner { owner.pointee.ownedMuxes -= 1 }
        let connection = mux.pointee.connection
        if let pod = connection.pointee.pod { buffers.release(&mux.pointee.fragments, for: pod) }
        connection.pointee.mux = nil
        muxGrave.append(mux)
    }
}
