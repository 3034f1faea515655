// SPDX-License-Identifier: Apache-2.0

// HTTP/1.1, request by request. Heads and bodies go through byte for byte; what is parsed decides where a message ends,
// where the next request goes and what is counted, never what the peers see. Requests of one connection are served one
// after the other (pipelined ones wait in the socket), each with the endpoint that the balancer chooses for it.

import Glibc
import Kernel
import Telemetry
import Wire

extension Worker {
    mutating func relayHTTP(_ session: SessionRef) {
        while session.pointee.mode == .http {
            var progressed = false
            if let up = session.pointee.up, up.pointee.phase == .open {
                if !up.pointee.output.isEmpty { progressed = flush(up) }
            }
            if !session.pointee.down.pointee.output.isEmpty {
                progressed = flush(session.pointee.down) || progressed
            }
            if session.pointee.down.pointee.isBroken {
                return fail(session, .downstreamReset, errno: session.pointee.down.pointee.errno)
            }
            progressed = forwardResponse(session) || progressed
            guard session.pointee.mode == .http else { break }
            progressed = forwardRequest(session) || progressed
            guard progressed, session.pointee.mode == .http else { break }
            if moved > Limits.bytesPerServe {
                enqueue(session)
                break
            }
        }
        switch session.pointee.mode {
        case .http: if session.pointee.exchange.isActive { chargeOverhead(session) }
        case .opaque: relayOpaque(session)
        case .closing: lingering(session)
        case .detecting, .undecided, .http2, .dead: break
        }
    }

    /// A serve in which a request was moved on has ended: that time was spent inside the proxy.
    private mutating func chargeOverhead(_ session: SessionRef) {
        if !clockIsFresh { readClock() }
        session.pointee.exchange.overhead &+= now &- max(turnStart, session.pointee.exchange.started)
    }

    /// The connection had been opened by an upgrade or CONNECT: from here on its bytes are not HTTP.
    mutating func becomeTunnel(_ session: SessionRef) {
        finishExchange(session, isComplete: true)
        session.pointee.mode = .opaque
    }
}
