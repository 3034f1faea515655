// SPDX-License-Identifier: Apache-2.0

import Glibc
import Kernel
import Telemetry
import Wire

extension Worker {
    /// Upstream to downstream. True if something moved.
    mutating func forwardResponse(_ session: SessionRef) -> Bool {
        guard let up = session.pointee.up, up.pointee.phase == .open else { return false }
        let down = session.pointee.down
        switch session.pointee.response.phase {
        case .idle:
            // Between requests an upstream has nothing to say: it has ended, or is out of step.
            guard up.pointee.isReadable, session.pointee.request.phase == .head else { return false }
            return idleUpstreamSpoke(session, up)
        case .head:
            guard down.pointee.output.isEmpty else { return false }
            guard let chunk = take(up) else { return upstreamWasSilent(session, up) }
            return readResponseHead(session, up, chunk)
        case .body:
            guard down.pointee.output.isEmpty else { return false }
            guard session.pointee.pod.pointee.mayBuffer else { return starve(session) }
            up.pointee.inputIsStale = false
            guard let chunk = take(up) else { return upstreamEndedInBody(session, up) }
            guard let taken = measureResponse(session, chunk, from: 0, isFirst: false) else { return true }
            write(down, chunk.base, taken)
            settle(up, chunk, taken)
            concludeIfComplete(session)
            return true
        }
    }

    private mutating func readResponseHead(_ session: SessionRef, _ up: ConnectionRef, _ chunk: Chunk) -> Bool {
        let down = session.pointee.down
        do throws(HTTP1Error) {
            guard
                let head = try HTTP1.parseResponseHead(
                    chunk.bytes.span, answering: session.pointee.request.method, into: &fields)
            else {
                settle(up, chunk, 0)
                up.pointee.inputIsStale = true
                return true
            }
            up.pointee.inputIsStale = false
            if head.isInterim { return forwardInterim(session, up, chunk, head.byteCount) }
            session.pointee.exchange.status = head.status
            session.pointee.response.framing = head.framing
            session.pointee.response.isPersistent = head.isPersistent
            session.pointee.exchange.hasBegun = true
            session.pointee.response.phase = .body
            session.pointee.exchange.responded = turnStart
            buffers.release(&session.pointee.request.kept, for: session.pointee.pod)
            releaseCandidate(session, latency: turnStart &- session.pointee.exchange.started)
            if session.pointee.exchange.tap.isMarked { tapResponse(session, session.exchange) }
            if head.switchesProtocol {
                write(down, chunk.base, head.byteCount)
                settle(up, chunk, head.byteCount)
                becomeTunnel(session)
                return true
            }
            guard let body = measureResponse(session, chunk, from: head.byteCount, isFirst: true) else { return true }
            write(down, chunk.base, head.byteCount + body)
            settle(up, chunk, head.byteCount + body)
            concludeIfComplete(session)
        } catch {
            fail(session, .malformedResponse)
        }
        return true
    }

    /// A 1xx goes through, and the final response is still to come (RFC 9110 §15.2).
    private mutating func forwardInterim(
        _ session: SessionRef, _ up: ConnectionRef, _ chunk: Chunk, _ count: Int
    ) -> Bool {
        // The final response may still be one of ours, but the request has arrived and is not sent again.
        buffers.release(&session.pointee.request.kept, for: session.pointee.pod)
        session.pointee.response.interim += 1
        guard session.pointee.response.interim <= Limits.interimResponses else {
            fail(session, .malformedResponse)
            return true
        }
        write(session.pointee.down, chunk.base, count)
        settle(up, chunk, count)
        return true
    }

    /// How many bytes of the chunk, from `start`, belong to the response's body. `nil` after a malformed one, when the
    /// session has been told.
    private mutating func measureResponse(
        _ session: SessionRef, _ chunk: Chunk, from start: Int, isFirst: Bool
    ) -> Int? {
        let available = chunk.count - start
        var taken = 0
        switch session.pointee.response.framing {
        case .none:
            session.pointee.response.remaining = 0
        case .length(let length):
            if isFirst { session.pointee.response.remaining = length }
            taken = Int(min(session.pointee.response.remaining, UInt64(available)))
            session.pointee.response.remaining -= UInt64(taken)
        case .untilClose:
            session.pointee.response.remaining = 1  // never complete by count
            taken = available
        case .chunked:
            if isFirst { session.pointee.response.chunks = ChunkedDecoder() }
            do throws(HTTP1Error) {
                let rest = UnsafeBufferPointer(rebasing: chunk.bytes[start...])
                taken = try session.pointee.response.chunks.consume(rest.span)
                session.pointee.response.remaining = session.pointee.response.chunks.isComplete ? 0 : 1
            } catch {
                fail(session, .malformedResponse)
                return nil
            }
        }
        session.pointee.exchange.bodyBytes &+= UInt64(taken)
        return taken
    }

    private mutating func concludeIfComplete(_ session: SessionRef) {
        if session.pointee.response.remaining == 0 { conclude(session) }
    }

    /// The response has been forwarded whole: account for it, and decide what happens to the two connections.
    private mutating func conclude(_ session: SessionRef) {
        let down = session.pointee.down
        let requestIsDone = session.pointee.request.phase == .done
        let persists =
            session.pointee.request.isPersistent && session.pointee.response.isPersistent && requestIsDone
            && session.pointee.response.framing != .untilClose
        finishExchange(session, isComplete: true)
        if let up = session.pointee.up {
            // The last read may have filled the buffer to the brim: only asking tells whether more is there.
            let saysMore = persists && up.pointee.isReadable && up.pointee.input.isEmpty && take(up) != nil
            let isClean =
                persists && !saysMore && up.pointee.input.isEmpty && up.pointee.output.isEmpty && !up.pointee.isBroken
                && !up.pointee.readEnded
                && !up.pointee.writeEnded
            if isClean {
                up.pointee.isReused = true
            } else {
                session.pointee.up = nil
                closeConnection(up)
            }
        }
        session.pointee.request.phase = .head
        session.pointee.request.method = .get
        session.pointee.response.phase = .idle
        session.pointee.exchange.hasBegun = false
        session.pointee.response.interim = 0
        if down.pointee.timer.isSet { timers.cancel(down) }
        if !persists || isDraining || (down.pointee.readEnded && down.pointee.input.isEmpty) { beginClosing(session) }
    }

    /// No bytes where a response should begin: not yet, or the upstream has gone.
    private mutating func upstreamWasSilent(_ session: SessionRef, _ up: ConnectionRef) -> Bool {
        guard up.pointee.readEnded else { return false }
        if replay(session) { return true }
        if up.pointee.errno != 0 {
            fail(session, .upstreamReset, errno: up.pointee.errno)
        } else {
            fail(session, .upstreamClosed)
        }
        return true
    }

    private mutating func upstreamEndedInBody(_ session: SessionRef, _ up: ConnectionRef) -> Bool {
        guard up.pointee.readEnded else { return false }
        if up.pointee.errno == 0 && session.pointee.response.framing == .untilClose {
            conclude(session)
        } else {
            fail(session, up.pointee.errno == 0 ? .upstreamClosed : .upstreamReset, errno: up.pointee.errno)
        }
        return true
    }

    private mutating func idleUpstreamSpoke(_ session: SessionRef, _ up: ConnectionRef) -> Bool {
        // Spurious readiness is possible (a read of the last serve took what it announced): ask.
        if case nil = take(up), !up.pointee.readEnded { return false }
        session.pointee.up = nil
        closeConnection(up)
        // To a downstream that chose this very address the application's end of the connection is its own.
        let down = session.pointee.down
        if session.pointee.target.pointee.isPinned && down.pointee.input.isEmpty && !down.pointee.isReadable {
            beginClosing(session)
        }
        return true
    }
}
