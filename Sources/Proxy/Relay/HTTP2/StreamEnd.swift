// SPDX-License-Identifier: Apache-2.0

import Telemetry
import Wire

extension Worker {
    // MARK: In good order

    /// END_STREAM has been sent on one side.
    mutating func sideEnded(_ stream: StreamRef, _ side: StreamSideRef) {
        side.pointee.sentEnd = true
        if side == stream.down {
            finishExchange(stream.pointee.session, stream.exchange, isComplete: true)
            if stream.pointee.resetsWhenSent && !stream.pointee.down.receivedEnd {
                return resetDownstream(stream, .noError)
            }
        }
        closeIfOver(stream)
    }

    /// A stream is over when both directions have ended on both sides.
    mutating func closeIfOver(_ stream: StreamRef) {
        guard !stream.pointee.isDead, stream.pointee.down.sentEnd, stream.pointee.down.receivedEnd,
            stream.pointee.up.mux == nil || stream.pointee.up.sentEnd
        else { return }
        closeStream(stream)
    }

    // MARK: By an error of a peer's

    /// A peer has broken a rule on a stream: it is told, and so is whoever is at the other side.
    mutating func streamError(_ stream: StreamRef, _ mux: MuxRef, _ code: HTTP2.ErrorCode) {
        guard !stream.pointee.isDead else { return }
        emitReset(mux, stream.side(mux.pointee.role).pointee.id, code)
        streamErrorWasSent(stream, mux, code)
    }

    mutating func streamErrorWasSent(_ stream: StreamRef, _ mux: MuxRef, _ code: HTTP2.ErrorCode) {
        if mux.pointee.role == .client {
            forgetUpstream(stream)
            return failStream(stream, .malformedResponse)
        }
        let session = stream.pointee.session
        stream.pointee.exchange.failure = .malformedMessage
        stream.pointee.exchange.resetCode = code.rawValue
        session.pointee.pod.pointee.count(.malformedMessage, session.pointee.direction)
        countUnsent(stream)
        cancelUpstream(stream, .cancel)
        closeStream(stream)
    }

    // MARK: By a failure of the mesh's

    /// Something failed that is not the downstream's doing. It is told in its own protocol: a response of ours if it has
    /// heard nothing yet, for gRPC trailers with a status even later, else a reset.
    mutating func failStream(
        _ stream: StreamRef, _ reason: Failure.Reason, status: UInt16? = nil, isCounted: Bool = false
    ) {
        guard !stream.pointee.isDead else { return }
        let (session, exchange, down) = (stream.pointee.session, stream.exchange, stream.down)
        exchange.pointee.failure = reason
        if !isCounted { session.pointee.pod.pointee.count(reason, session.pointee.direction) }
        countUnsent(stream)
        cancelUpstream(stream, .cancel)
        guard let mux = down.pointee.mux, !down.pointee.sentEnd else { return closeStream(stream) }
        if exchange.pointee.hasBegun {
            guard stream.pointee.isGRPC else { return resetDownstream(stream, .internalError) }
            exchange.pointee.grpcStatus = reason.grpcStatus.rawValue
            buildTrailers(reason)
            if !sendFields(stream, down, isRebuilt: true, endsStream: true) {
                resetDownstream(stream, .internalError)
            }
            return
        }
        dropBacklog(stream, down)
        exchange.pointee.hasBegun = true
        exchange.pointee.responded = now
        exchange.pointee.status = stream.pointee.isGRPC ? 200 : status ?? reason.httpStatus
        if stream.pointee.isGRPC { exchange.pointee.grpcStatus = reason.grpcStatus.rawValue }
        if exchange.pointee.tap.isMarked { tapResponse(session, exchange) }
        buildAnswer(reason, status: exchange.pointee.status, isGRPC: stream.pointee.isGRPC)
        emitFields(mux, down.pointee.id, isRebuilt: true, endsStream: true)
        down.pointee.sentEnd = true
        finishExchange(session, exchange, isComplete: true)
        // It need not send the rest of its request (RFC 9113 §8.1).
        if down.pointee.receivedEnd { closeStream(stream) } else { resetDownstream(stream, .noError) }
    }

    /// Ends the downstream's side by a reset, and with it the stream.
    mutating func resetDownstream(_ stream: StreamRef, _ code: HTTP2.ErrorCode) {
        if let mux = stream.pointee.down.mux { emitReset(mux, stream.pointee.down.id, code) }
        if stream.pointee.exchange.isActive { stream.pointee.exchange.resetCode = code.rawValue }
        countUnsent(stream)
        closeStream(stream)
    }

    // MARK: Taking apart

    /// Lets go of the upstream's side, which is told if it has not ended by itself.
    mutating func cancelUpstream(_ stream: StreamRef, _ code: HTTP2.ErrorCode) {
        let up = stream.up
        if let mux = up.pointee.mux, !(up.pointee.sentEnd && up.pointee.receivedEnd) {
            emitReset(mux, up.pointee.id, code)
        }
        forgetUpstream(stream)
    }

    /// Lets go of the upstream's side, which has ended or has been told.
    mutating func forgetUpstream(_ stream: StreamRef) {
        leaveWaiting(stream)
        let up = stream.up
        guard let mux = up.pointee.mux else { return }
        unpend(up)
        buffers.release(&up.pointee.backlog, for: stream.pointee.session.pointee.pod)
        if up.pointee.held > 0 { creditConnection(mux, up.pointee.held) }
        mux.pointee.streams.remove(up.pointee.id)
        stream.pointee.up = StreamSide()
        muxStreamEnded(mux)
    }

    /// Takes a stream apart, whatever state it is in. Its place is given back at the end of the turn.
    mutating func closeStream(_ stream: StreamRef) {
        guard !stream.pointee.isDead else { return }
        stream.pointee.isDead = true
        let (session, down) = (stream.pointee.session, stream.down)
        let pod = session.pointee.pod
        // An upstream that still reads the request or writes the response is told to stop.
        cancelUpstream(stream, .cancel)
        finishExchange(session, stream.exchange, isComplete: false)
        releaseCandidate(session, stream.exchange, latency: nil)
        buffers.release(&stream.pointee.kept, for: pod)
        unpend(down)
        buffers.release(&down.pointee.backlog, for: pod)
        pod.pointee.streams -= 1
        streamGrave.append(stream)
        guard let mux = down.pointee.mux else { return }
        if down.pointee.held > 0 { creditConnection(mux, down.pointee.held) }
        mux.pointee.streams.remove(down.pointee.id)
        down.pointee.mux = nil
        muxStreamEnded(mux)
    }

    /// Throws away what waits to be sent on a side.
    mutating func dropBacklog(_ stream: StreamRef, _ side: StreamSideRef) {
        unpend(side)
        buffers.release(&side.pointee.backlog, for: stream.pointee.session.pointee.pod)
        side.pointee.lastData = -1
    }

    /// Gives back the places of streams and connections that died in this turn.
    mutating func buryStreams() {
        for stream in streamGrave {
            stream.deinitialize(count: 1)
            streams.giveBack(stream)
        }
        streamGrave.removeAll(keepingCapacity: true)
        var kept = 0
        for mux in muxGrave {
            if mux.pointee.isUnflushed {
                // Still in a list, which the end of the next turn empties.
                muxGrave[kept] = mux
                kept += 1
                continue
            }
            mux.deinitialize(count: 1)
            muxes.giveBack(mux)
        }
        muxGrave.removeLast(muxGrave.count - kept)
    }
}
