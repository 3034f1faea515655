// SPDX-License-Identifier: Apache-2.0

// Stage 3, detect: the downstream's first bytes tell what it speaks. Never holds a connection hostage: a downstream that
// says nothing for 10 ms (at once, if it chose an address and not a service) gets its upstream dialled, and stays undecided
// until either side speaks. HTTP that comes later is taken up with that upstream as its first one; a server that speaks first
// makes the connection opaque.

import Addresses
import Kernel
import Routing
import Telemetry
import Wire

extension Worker {
    /// Looks at what has come, and goes on to the next stage if that is enough.
    mutating func detect(_ session: SessionRef) {
        if session.pointee.isOpaque { return becomeOpaque(session) }
        let down = session.pointee.down
        if let up = session.pointee.up, up.pointee.phase == .open, up.pointee.isReadable {
            // The upstream speaks first, or has ended: nothing that we would understand.
            return becomeOpaque(session)
        }
        while true {
            if down.pointee.isReadable {
                guard session.pointee.pod.pointee.mayBuffer else { return fail(session, .memoryLimit) }
                let size = receiveIntoInput(down, limit: HTTP1.maximumHeadBytes)
                if size < 0 && down.pointee.errno != 0 {
                    return fail(session, .downstreamReset, errno: down.pointee.errno)
                }
            }
            let input = down.pointee.input
            let bytes = UnsafeBufferPointer(
                start: input.isEmpty ? nil : input.bytes.assumingMemoryBound(to: UInt8.self), count: input.count)
            switch Detect.classify(bytes.span) {
            case .http1:
                timers.cancel(down)
                return becomeHTTP(session)
            case .needMore:
                if down.pointee.readEnded { return becomeOpaque(session) }
                // More that is there already raises no event.
                if down.pointee.isReadable { continue }
                return waitForMore(session, isEmpty: input.isEmpty)
            case .http2Preface:
                timers.cancel(down)
                return becomeHTTP2(session)
            case .tls, .opaque:
                return becomeOpaque(session)
            }
        }
    }

    private mutating func waitForMore(_ session: SessionRef, isEmpty: Bool) {
        let down = session.pointee.down
        if isEmpty {
            // Where there is only one place to go, waiting would not make the choice better.
            if session.pointee.mode == .detecting && session.pointee.target.pointee.isPinned
                && !session.pointee.isDenied
            {
                return detectExpired(session)
            }
            if session.pointee.mode == .detecting && !down.pointee.timer.isSet {
                timers.schedule(down, at: now + Limits.detectWait)
            }
        } else if !down.pointee.timer.isSet
            || down.pointee.timer.deadline < session.pointee.opened + Limits.detectAmbiguous
        {
            timers.schedule(down, at: max(now, session.pointee.opened) + Limits.detectAmbiguous)
        }
    }

    /// The downstream has been silent, or ambiguous, for long enough.
    mutating func detectExpired(_ session: SessionRef) {
        guard session.pointee.down.pointee.input.isEmpty else { return becomeOpaque(session) }
        guard session.pointee.mode == .detecting else { return }
        session.pointee.mode = .undecided
        if session.pointee.isDenied { return fail(session, .policyDenied) }
        dial(session)
    }

    private mutating func becomeHTTP(_ session: SessionRef) {
        session.pointee.mode = .http
        if session.pointee.exchange.holdsCandidate {
            // Until now the connection itself was the load; from here on each request is.
            session.pointee.target.pointee.balancer.end(session.pointee.exchange.candidate, latency: nil, now: now)
            session.pointee.exchange.holdsCandidate = false
        }
        session.pointee.request.phase = .head
        relayHTTP(session)
    }

    mutating func becomeOpaque(_ session: SessionRef) {
        timers.cancel(session.pointee.down)
        session.pointee.mode = .opaque
        tapOpen(session)
        if session.pointee.isDenied { return fail(session, .policyDenied) }
        if session.pointee.up == nil { return dial(session) }
        relayOpaque(session)
    }
}
