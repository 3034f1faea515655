// SPDX-License-Identifier: Apache-2.0

// HTTP/2, request by request. A downstream's connection and the connections to upstreams are independent: each stream of
// the one is joined to a stream of one of the others, whichever the balancer chose. Heads are decoded, looked at, and encoded
// again for the connection they go out on, field by field as they came; bodies go through in frames of our own, as far as the
// receiving peer's windows allow, and what they do not allow waits in the stream, bounded by the window that we gave to the
// sender. Everything here runs on the worker's thread. What a turn produces for one connection is written once, at the end
// of the turn (`flushMuxes`), so many streams cost few system calls.
//
// Files: `Mux`, `Stream`, `Record` are the state; `Frames` reads; `Requests`, `Responses`, `Bodies` carry the three parts of
// a message on; `Output` and `Backlog` write; `StreamEnd` ends streams; `Connect/MuxPool`, `Connect/MuxDial` find upstreams;
// `Drain/MuxClose` ends connections.

import Kernel
import Routing
import Telemetry
import Wire

extension Worker {
    /// The downstream has sent HTTP/2's preface.
    mutating func becomeHTTP2(_ session: SessionRef) {
        session.pointee.mode = .http2
        if session.pointee.exchange.holdsCandidate {
            // Until now the connection itself was the load; from here on each request is.
            session.pointee.target.pointee.balancer.end(session.pointee.exchange.candidate, latency: nil, now: now)
            session.pointee.exchange.holdsCandidate = false
        }
        let down = session.pointee.down
        down.pointee.input.consume(HTTP2.prefaceBytes)
        buffers.releaseIfEmpty(&down.pointee.input, for: session.pointee.pod)
        let mux = makeMux(down, .server, owner: session)
        greet(mux)
        // Dialled while the downstream was silent: the first stream may use it.
        if let up = session.pointee.up {
            session.pointee.up = nil
            up.pointee.session = nil
            adopt(up, session)
        }
        serveMux(mux)
    }

    mutating func makeMux(_ connection: ConnectionRef, _ role: HTTP2.Role, owner: SessionRef?) -> MuxRef {
        let mux = muxes.take()
        mux.initialize(to: Mux(connection, role, owner: owner))
        connection.pointee.mux = mux
        if role == .client, let owner { owner.pointee.ownedMuxes += 1 }
        return mux
    }

    /// Moves whatever can be moved on one connection.
    mutating func serveMux(_ mux: MuxRef) {
        let connection = mux.pointee.connection
        guard connection.pointee.phase == .open, !mux.pointee.isClosed else { return }
        _ = flush(connection)
        pump(mux)
        while connection.pointee.phase == .open, !mux.pointee.isClosed, !connection.pointee.isBroken {
            guard let pod = connection.pointee.pod else { return }
            guard pod.pointee.mayBuffer else {
                pod.pointee.count(.memoryLimit, connection.pointee.isInbound ? .inbound : .outbound)
                timers.schedule(connection, at: now + Limits.detectWait)
                break
            }
            guard let chunk = take(connection) else { break }
            let consumed = readFrames(mux, chunk)
            guard connection.pointee.phase == .open, !mux.pointee.isClosed else { break }
            settle(connection, chunk, consumed)
            connection.pointee.inputIsStale = !connection.pointee.input.isEmpty
            if connection.pointee.inputIsStale && (consumed > 0 || mux.pointee.partialSince == 0) { watchPartial(mux) }
            if moved > Limits.bytesPerServe {
                enqueue(connection)
                break
            }
        }
        chargeBegun()
        guard connection.pointee.phase == .open else { return }
        if mux.pointee.isClosed { return }
        if connection.pointee.isBroken || (connection.pointee.readEnded && connection.pointee.input.isEmpty) {
            return muxLost(mux)
        }
        if connection.pointee.readEnded { muxLost(mux) }  // it ended inside a frame
    }

    /// A frame has begun to come: it must not take for ever.
    private mutating func watchPartial(_ mux: MuxRef) {
        mux.pointee.partialSince = now
        let connection = mux.pointee.connection
        if !connection.pointee.timer.isSet { timers.schedule(connection, at: now + Limits.headTimeout) }
    }

    /// A serve in which requests began has ended: that time was spent inside the proxy.
    private mutating func chargeBegun() {
        guard !begun.isEmpty else { return }
        if !clockIsFresh { readClock() }
        for stream in begun where !stream.pointee.isDead && stream.pointee.exchange.isActive {
            stream.pointee.exchange.overhead &+= now &- max(turnStart, stream.pointee.exchange.started)
        }
        begun.removeAll(keepingCapacity: true)
    }
}
