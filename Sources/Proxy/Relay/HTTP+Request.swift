// SPDX-License-Identifier: Apache-2.0

import Glibc
import Kernel
import ProxyLink
import Telemetry
import Wire

extension Worker {
    /// Downstream to upstream. True if something moved.
    mutating func forwardRequest(_ session: SessionRef) -> Bool {
        switch session.pointee.request.phase {
        case .head: return readHead(session)
        case .waiting:
            guard let up = session.pointee.up, up.pointee.phase == .open else { return false }
            transmitWaiting(session)
            return true
        case .body: return forwardBody(session)
        case .done: return false
        }
    }

    private mutating func readHead(_ session: SessionRef) -> Bool {
        let down = session.pointee.down
        guard session.pointee.response.phase == .idle, down.pointee.output.isEmpty else { return false }
        guard session.pointee.pod.pointee.mayBuffer || (!down.pointee.isReadable && down.pointee.input.isEmpty) else {
            fail(session, .memoryLimit)
            return true
        }
        guard let chunk = take(down) else {
            guard down.pointee.readEnded else { return false }
            if down.pointee.errno != 0 {
                fail(session, .downstreamReset, errno: down.pointee.errno)
            } else {
                finish(session)
            }
            return true
        }
        do throws(HTTP1Error) {
            guard let head = try HTTP1.parseRequestHead(chunk.bytes.span, into: &fields) else {
                settle(down, chunk, 0)
                down.pointee.inputIsStale = true
                if !down.pointee.timer.isSet { timers.schedule(down, at: now + Limits.headTimeout) }
                return true
            }
            if down.pointee.timer.isSet { timers.cancel(down) }
            begin(session, head, chunk)
        } catch {
            fail(session, error.isTooLarge ? .headTooLarge : .malformedMessage, status: error.httpStatus)
        }
        return true
    }

    /// A request begins: find out whose it is, where it goes, and send what is there of it.
    private mutating func begin(_ session: SessionRef, _ head: RequestHead, _ chunk: Chunk) {
        session.pointee.request.method = head.method
        session.pointee.request.framing = head.framing
        session.pointee.request.isPersistent = head.isPersistent
        session.pointee.request.isIdempotent = head.method.isIdempotent && !head.hasUpgrade
        session.pointee.request.headBytes = head.byteCount
        session.pointee.request.authority = head.authority
        // The upstream that was dialled before the request was there is for it.
        let candidate = session.pointee.exchange.candidate
        session.pointee.exchange.begin(at: turnStart)
        session.pointee.exchange.candidate = candidate
        if head.hasUpgrade { declineH2C(chunk) }
        beginning = chunk
        let upstream = session.pointee.isDenied ? .failed : selectUpstream(session)
        if session.pointee.isDenied { fail(session, .policyDenied) }
        beginning = nil
        guard session.pointee.mode == .http else { return }
        if !taps.isEmpty { tapRequest(session, head, chunk) }
        if case .ready = upstream { return transmit(session, chunk) }
        session.pointee.request.phase = .waiting
        settle(session.pointee.down, chunk, 0)
    }

    /// A request fails before it could be sent: it is counted, and shown to taps, all the same.
    @inline(never)
    mutating func countUnsent(_ session: SessionRef) {
        let input = session.pointee.down.pointee.input
        let isShown = beginning == nil
        guard
            let chunk = beginning ?? (input.isEmpty ? nil : Chunk(base: input.bytes, count: input.count, isOwned: true))
        else { return }
        beginSeries(session, session.exchange, authority: authority(session, chunk.base), isSent: false)
        guard !taps.isEmpty, !isShown,
            let head = try? HTTP1.parseRequestHead(chunk.bytes.span, into: &fields)
        else { return }
        tapRequest(session, head, chunk)
    }

    /// The upstream that a request waited for is there.
    private mutating func transmitWaiting(_ session: SessionRef) {
        let input = session.pointee.down.pointee.input
        guard !input.isEmpty else { return fail(session, .downstreamReset) }
        transmit(session, Chunk(base: input.bytes, count: input.count, isOwned: true))
    }

    /// Sends the head and what is there of the body.
    private mutating func transmit(_ session: SessionRef, _ chunk: Chunk) {
        guard let up = session.pointee.up else { return }
        let head = session.pointee.request.headBytes
        guard let body = measureBody(session, chunk, from: head, isFirst: true) else { return }
        if session.pointee.exchange.series == nil {
            beginSeries(session, session.exchange, authority: authority(session, chunk.base), isSent: true)
        }
        let isWhole = session.pointee.request.phase == .done
        // An application may close an idle connection in the very moment in which we reuse it. A request that may be
        // repeated (RFC 9110 §9.2.2) and is known whole is kept, and sent again if that happens.
        if up.pointee.isReused && isWhole && session.pointee.request.isIdempotent
            && head + body <= Limits.keptRequestBytes && session.pointee.request.kept.isEmpty
        {
            buffers.append(&session.pointee.request.kept, chunk.base, head + body, for: session.pointee.pod)
        }
        session.pointee.response.phase = .head
        write(up, chunk.base, head + body)
        settle(session.pointee.down, chunk, head + body)
        if session.pointee.down.pointee.input.isEmpty == false { session.pointee.down.pointee.inputIsStale = false }
    }

    private func authority(_ session: SessionRef, _ head: UnsafeRawPointer) -> UnsafeRawBufferPointer {
        let range = session.pointee.request.authority
        return UnsafeRawBufferPointer(start: head + Int(range.start), count: range.count)
    }

    /// How many bytes of the chunk, from `start`, belong to the request's body; moves the request's phase on. `nil` after
    /// a malformed body, when the session has been told.
    private mutating func measureBody(
        _ session: SessionRef, _ chunk: Chunk, from start: Int, isFirst: Bool
    ) -> Int? {
        let available = chunk.count - start
        switch session.pointee.request.framing {
        case .none, .untilClose:
            session.pointee.request.phase = .done
            return 0
        case .length(let length):
            if isFirst { session.pointee.request.remaining = length }
            let taken = Int(min(session.pointee.request.remaining, UInt64(available)))
            session.pointee.request.remaining -= UInt64(taken)
            session.pointee.request.phase = session.pointee.request.remaining == 0 ? .done : .body
            return taken
        case .chunked:
            if isFirst { session.pointee.request.chunks = ChunkedDecoder() }
            do throws(HTTP1Error) {
                let rest = UnsafeBufferPointer(rebasing: chunk.bytes[start...])
                let taken = try session.pointee.request.chunks.consume(rest.span)
                session.pointee.request.phase = session.pointee.request.chunks.isComplete ? .done : .body
                return taken
            } catch {
                fail(session, .malformedMessage, status: error.httpStatus)
                return nil
            }
        }
    }

    private mutating func forwardBody(_ session: SessionRef) -> Bool {
        let down = session.pointee.down
        guard let up = session.pointee.up, up.pointee.output.isEmpty else { return false }
        guard session.pointee.pod.pointee.mayBuffer else { return starve(session) }
        if down.pointee.input.isEmpty == false { down.pointee.inputIsStale = false }
        guard let chunk = take(down) else {
            guard down.pointee.readEnded, !up.pointee.writeEnded else { return false }
            if down.pointee.errno != 0 {
                fail(session, .downstreamReset, errno: down.pointee.errno)
                return true
            }
            // A body that breaks off: the application learns it as it would without us, and may still answer.
            session.pointee.request.isPersistent = false
            session.pointee.request.phase = .done
            up.pointee.writeEnded = true
            Socket.endWriting(up.pointee.descriptor)
            return true
        }
        guard let taken = measureBody(session, chunk, from: 0, isFirst: false) else { return true }
        write(up, chunk.base, taken)
        settle(down, chunk, taken)
        if up.pointee.isBroken {
            // The application takes no more, but its answer may already be on the way.
            session.pointee.request.isPersistent = false
            session.pointee.request.phase = .done
        }
        return true
    }

    /// A reused connection had been closed before the request reached the application: once more, on a fresh one.
    mutating func replay(_ session: SessionRef) -> Bool {
        guard !session.pointee.request.kept.isEmpty, !session.pointee.exchange.hasBegun,
            session.pointee.exchange.attempts < Limits.connectAttempts, let up = session.pointee.up,
            up.pointee.input.isEmpty
        else { return false }
        let (down, pod) = (session.pointee.down, session.pointee.pod)
        var again = session.pointee.request.kept
        session.pointee.request.kept = Buffer()
        let waiting = down.pointee.input
        if !waiting.isEmpty { buffers.append(&again, waiting.bytes, waiting.count, for: pod) }
        buffers.release(&down.pointee.input, for: pod)
        down.pointee.input = again
        down.pointee.inputIsStale = false
        closeConnection(up)
        session.pointee.up = nil
        releaseCandidate(session, latency: nil)
        session.pointee.exchange.attempts += 1
        count(.retried)
        session.pointee.request.phase = .waiting
        session.pointee.response.phase = .idle
        switch selectUpstream(session, fresh: true) {
        case .ready: transmitWaiting(session)
        case .waiting, .failed: break
        }
        return true
    }
}
