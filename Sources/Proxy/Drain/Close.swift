// SPDX-License-Identifier: Apache-2.0

// Stage 8, close and drain. A session ends in one of three ways: both sides have ended (finish), a response was the last
// one (closing: FIN, then the downstream's FIN, so that it reads the response before anything can reset it), or something
// failed (an HTTP error response if the downstream has heard nothing yet, else RST: never a clean FIN for a broken stream).

import Glibc
import Kernel
import Synchronization
import Telemetry
import Wire

extension Worker {
    /// Something failed. Tells the downstream in its own protocol, counts it, and ends the session.
    mutating func fail(
        _ session: SessionRef, _ reason: Failure.Reason, errno: CInt = 0, status: UInt16? = nil, isCounted: Bool = false
    ) {
        guard session.pointee.mode != .dead else { return }
        session.pointee.exchange.failure = reason
        if !isCounted { session.pointee.pod.pointee.count(reason, session.pointee.direction) }
        if session.pointee.exchange.isActive && session.pointee.exchange.series == nil { countUnsent(session) }
        releaseCandidate(session, latency: nil)
        let down = session.pointee.down
        let isHTTP = session.pointee.mode == .http
        if isHTTP && session.pointee.response.phase == .idle {
            detachUpstream(session)  // nothing of this request has reached it
        } else if let up = session.pointee.up {
            session.pointee.up = nil
            if up.pointee.phase == .open { Socket.resetOnClose(up.pointee.descriptor) }
            if up.pointee.errno == 0 { up.pointee.errno = errno }
            closeConnection(up)
        }
        guard isHTTP, reason != .downstreamReset, !session.pointee.exchange.hasBegun else {
            if isHTTP && session.pointee.exchange.isActive { finishExchange(session, isComplete: false) }
            if down.pointee.errno == 0 { down.pointee.errno = errno }
            Socket.resetOnClose(down.pointee.descriptor)
            return end(session)
        }
        session.pointee.exchange.status = status ?? reason.httpStatus
        session.pointee.exchange.responded = now
        if session.pointee.exchange.isActive {
            if session.pointee.exchange.tap.isMarked { tapResponse(session, session.exchange) }
            finishExchange(session, isComplete: true)
        }
        let bytes = ErrorResponse.bytes(
            status: session.pointee.exchange.status, reason: reason, withBody: session.pointee.request.method != .head)
        bytes.withUnsafeBytes { write(down, $0.baseAddress!, $0.count) }
        beginClosing(session)
    }

    /// The session is over in good order.
    mutating func finish(_ session: SessionRef) {
        if let up = session.pointee.up {
            if session.pointee.mode == .http && session.pointee.response.phase == .idle {
                detachUpstream(session)
            } else {
                session.pointee.up = nil
                closeConnection(up)
            }
        }
        end(session)
    }

    /// The downstream has had its last response: FIN, and wait for its own, so that it can read everything first.
    mutating func beginClosing(_ session: SessionRef) {
        detachUpstream(session)
        session.pointee.mode = .closing
        timers.cancel(session.pointee.down)
        enqueue(session)  // there may be no event to come
    }

    /// Delivers what waits, sends FIN, throws away what still comes, and ends with the downstream.
    mutating func lingering(_ session: SessionRef) {
        let down = session.pointee.down
        guard flush(down) else {
            if down.pointee.isBroken { end(session) }
            return
        }
        if !down.pointee.writeEnded {
            down.pointee.writeEnded = true
            Socket.endWriting(down.pointee.descriptor)
            // From now on, because until everything is written the downstream sets the pace.
            timers.schedule(down, at: now + Limits.closing)
        }
        buffers.release(&down.pointee.input, for: session.pointee.pod)
        down.pointee.inputIsStale = false
        while let chunk = take(down) {
            settle(down, chunk, chunk.count)
            session.pointee.discarded += chunk.count
            // Whoever was sent away for flooding us is not listened to any longer.
            if session.pointee.exchange.failure == .floodLimit && session.pointee.discarded > Limits.closingFlood {
                return end(session)
            }
            if moved > Limits.bytesPerServe { return enqueue(session) }
        }
        if down.pointee.readEnded || down.pointee.isBroken { end(session) }
    }

    /// A deadline has passed.
    mutating func expire(_ connection: ConnectionRef) {
        guard connection.pointee.phase != .dead else { return }
        switch connection.pointee.phase {
        case .awaitingSocket: return socketWaitExpired(connection)
        case .connecting: return upstreamConnectFailed(connection, errno: ETIMEDOUT)
        case .open, .dead: break
        }
        if let mux = connection.pointee.mux, !mux.pointee.isClosed { return muxExpired(mux) }
        guard let session = connection.pointee.session else {
            idle.remove(connection)
            return closeConnection(connection)
        }
        guard connection.pointee.role == .downstream else { return }
        switch session.pointee.mode {
        case .detecting, .undecided: detectExpired(session)
        case .http:
            if session.pointee.request.phase == .head && !connection.pointee.input.isEmpty
                && session.pointee.response.phase == .idle
            {
                fail(session, .requestTimeout)
            } else {
                enqueue(session)
            }
        case .http2, .opaque: enqueue(session)
        case .closing: end(session)
        case .dead: break
        }
    }

    /// The kernel reports an error on a connection whose bytes we may not be reading just now.
    mutating func noteReset(_ connection: ConnectionRef, _ session: SessionRef) {
        let isDownstream = connection.pointee.role == .downstream
        switch session.pointee.mode {
        case .http: guard isDownstream else { return }
        // If its reading is held up by a peer that does not read, only this tells that peer.
        case .opaque: guard isHeldUp(session, isDownstream: isDownstream) else { return }
        case .detecting, .undecided, .http2, .closing, .dead: return
        }
        let errno = Socket.pendingError(connection.pointee.descriptor)
        connection.pointee.errno = errno == 0 ? ECONNRESET : errno
        fail(session, isDownstream ? .downstreamReset : .upstreamReset, errno: connection.pointee.errno)
    }

    private func isHeldUp(_ session: SessionRef, isDownstream: Bool) -> Bool {
        guard let up = session.pointee.up, up.pointee.phase == .open else { return false }
        return isDownstream
            ? !up.pointee.output.isEmpty || session.pointee.splices.0.held > 0
            : !session.pointee.down.pointee.output.isEmpty || session.pointee.splices.1.held > 0
    }

    /// Takes a session apart. Its place is given back at the end of the turn.
    mutating func end(_ session: SessionRef) {
        guard session.pointee.mode != .dead else { return }
        if session.pointee.exchange.isActive { finishExchange(session, isComplete: false) }
        tapClose(session)
        session.pointee.mode = .dead
        if let mux = session.pointee.down.pointee.mux {
            endStreams(mux, session.pointee.exchange.failure ?? .downstreamReset)
        }
        while let mux = muxPool.takeFirst(owner: session) { muxFailed(mux, .downstreamReset) }
        releaseCandidate(session, latency: nil)
        let pod = session.pointee.pod
        buffers.release(&session.pointee.request.kept, for: pod)
        if let up = session.pointee.up {
            session.pointee.up = nil
            closeConnection(up)
        }
        closePipe(&session.pointee.splices.0)
        closePipe(&session.pointee.splices.1)
        closeConnection(session.pointee.down)
        let (previous, next) = (session.pointee.previousInPod, session.pointee.nextInPod)
        if let previous { previous.pointee.nextInPod = next } else { pod.pointee.firstSession = next }
        next?.pointee.previousInPod = previous
        sessionCount -= 1
        handle.load.store(sessionCount, ordering: .relaxed)
        pod.pointee.shared.connections.subtract(1, ordering: .relaxed)
        sessionGrave.append(session)
    }

    private mutating func closePipe(_ splice: inout SpliceState) {
        returnPipe(&splice)
        guard splice.isActive else { return }
        Pipe(reader: splice.reader, writer: splice.writer).close()  // bytes are still in it
        splice = SpliceState()
    }

    /// Closes a connection now and buries it at the end of the turn.
    mutating func closeConnection(_ connection: ConnectionRef) {
        guard connection.pointee.phase != .dead else { return }
        if connection.pointee.phase == .awaitingSocket { leaveSocketQueue(connection) }
        connection.pointee.phase = .dead
        timers.cancel(connection)
        if let pod = connection.pointee.pod {
            buffers.release(&connection.pointee.input, for: pod)
            buffers.release(&connection.pointee.output, for: pod)
        }
        closeSeries(connection)
        if connection.pointee.descriptor >= 0 { close(connection.pointee.descriptor) }
        connection.pointee.session = nil
        if let mux = connection.pointee.mux { abandonMux(mux) }
        grave.append(connection)
    }
}
