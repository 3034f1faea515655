// SPDX-License-Identifier: Apache-2.0

import Kernel
import ProxyLink
import Synchronization

extension Worker {
    /// Serves until it is told to end.
    mutating func run() throws(SystemError) {
        while !isFinished { try turn() }
    }

    /// One turn: sleep, stamp the clock, queue what is ready, serve it fairly, fire timers, bury the dead.
    mutating func turn() throws(SystemError) {
        let count = try waitForEvents()
        self.count(.turns)
        self.count(.events, UInt64(count))
        if count > 0 { spinner.found(count) }
        for index in 0..<count {
            let token = poller.token(index)
            // The place is ours for ever, so it may be looked at; but while another process holds a duplicate of a socket
            // that we have closed, the kernel goes on reporting it, and the place may be somebody else's by now.
            guard let connection = ConnectionRef(bitPattern: UInt(token & Worker.placeMask)),
                connection.pointee.generation == UInt16(truncatingIfNeeded: token >> Worker.generationShift)
            else { continue }
            note(poller.readiness(index), on: connection)
        }
        serveReady()
        flushMuxes()
        while let expired = timers.popExpired(now: now) { expire(expired) }
        bury()
    }

    /// User addresses have 47 or 48 bits, on x86-64 and on arm64: the rest of an event's token is the generation.
    private static var generationShift: UInt64 { 48 }
    private static var placeMask: UInt64 { 1 << generationShift - 1 }

    /// Has the kernel report what becomes of a connection or listener.
    mutating func watch(_ connection: ConnectionRef) throws(SystemError) {
        generation &+= 1
        connection.pointee.generation = generation
        let token = UInt64(UInt(bitPattern: connection)) | UInt64(generation) << Worker.generationShift
        if connection.pointee.role == .listener {
            try poller.addListener(connection.pointee.descriptor, token: token)
        } else {
            try poller.addConnection(connection.pointee.descriptor, token: token)
        }
    }

    /// How long a wait may take: until the next timer, or the end of the drain.
    private func millisecondsToNext() -> CInt {
        let timer = timers.millisecondsToNext(now: now)
        guard isDraining else { return timer }
        let left = drainDeadline > now ? CInt(clamping: (drainDeadline - now) / 1_000_000 + 1) : 0
        return timer < 0 ? left : min(timer, left)
    }

    /// Waits, and knows the time afterwards. While sessions are ready it only looks.
    private mutating func waitForEvents() throws(SystemError) -> Int {
        var count = 0
        if firstActive != nil {
            count = try poller.wait(milliseconds: 0)
        } else {
            if options.spins && spinner.isWorthwhile { count = try spin() }
            if count == 0 {
                let before = now
                count = try poller.wait(milliseconds: millisecondsToNext())
                readClock()
                spinner.slept(now - before, until: now)
                turnStart = now
                return count
            }
        }
        readClock()
        turnStart = now
        return count
    }

    /// Looks again and again for a short while: waking an idle processor costs more than this.
    private mutating func spin() throws(SystemError) -> Int {
        let start = MonotonicClock.now()
        var looked = start
        var count = 0
        self.count(.spins)
        while count == 0 && looked - start < Limits.spin {
            count = try poller.wait(milliseconds: 0)
            looked = MonotonicClock.now()
        }
        if count > 0 { self.count(.spinHits) }
        spinner.span(looked - start, found: count > 0, at: looked)
        return count
    }

    /// Writes down what the kernel said, and queues the session that it concerns.
    private mutating func note(_ readiness: Poller.Readiness, on connection: ConnectionRef) {
        guard connection.pointee.phase != .dead else { return }
        switch connection.pointee.role {
        case .mailbox:
            for command in handle.mailbox.takeAll() { apply(command) }
        case .listener:
            accept(on: connection)
        case .downstream, .upstream:
            if readiness.mayRead { connection.pointee.isReadable = true }
            if readiness.isMoreThanBytes { connection.pointee.readsStopShort = true }
            if readiness.mayWrite { connection.pointee.isWritable = true }
            if connection.pointee.phase == .connecting {
                finishConnecting(connection)
            } else if connection.pointee.mux != nil {
                enqueue(connection)
            } else if let session = connection.pointee.session {
                if readiness.hasFailed { noteReset(connection, session) }
                if session.pointee.mode != .dead { enqueue(session) }
            } else if connection.pointee.isReadable {
                // It waits in the pool: whatever it says now, it is of no use any more.
                closeIdle(connection)
            }
        }
    }

    /// Serves ready sessions, pod by pod: each pod may use its quantum of time, then the next one comes.
    private mutating func serveReady() {
        while let pod = firstActive {
            if now - turnStart > Limits.turn { return }
            if pod.pointee.credit <= 0 { pod.pointee.credit += Limits.quantum }
            while let connection = pod.pointee.firstReady, pod.pointee.credit > 0 {
                dequeue(connection, pod)
                let start = now
                clockIsFresh = false
                moved = 0
                serve(connection)
                if !clockIsFresh { readClock() }
                let spent = now &- start
                pod.pointee.credit -= Int64(bitPattern: spent)
                pod.pointee.processorTime &+= spent
            }
            rotate(pod)
        }
    }

    /// Puts a session at the end of its pod's queue, unless it is there.
    mutating func enqueue(_ session: SessionRef) { enqueue(session.pointee.down) }

    /// Puts a connection, or the session that it stands for, at the end of its pod's queue, unless it is there.
    mutating func enqueue(_ connection: ConnectionRef) {
        guard !connection.pointee.isQueued, let pod = connection.pointee.pod else { return }
        connection.pointee.isQueued = true
        connection.pointee.nextReady = nil
        if let last = pod.pointee.lastReady {
            last.pointee.nextReady = connection
        } else {
            pod.pointee.firstReady = connection
        }
        pod.pointee.lastReady = connection
        guard !pod.pointee.isActive else { return }
        pod.pointee.isActive = true
        pod.pointee.credit = 0
        pod.pointee.nextActive = nil
        if let last = lastActive { last.pointee.nextActive = pod } else { firstActive = pod }
        lastActive = pod
    }

    private mutating func dequeue(_ connection: ConnectionRef, _ pod: PodRef) {
        pod.pointee.firstReady = connection.pointee.nextReady
        if pod.pointee.firstReady == nil { pod.pointee.lastReady = nil }
        connection.pointee.nextReady = nil
        connection.pointee.isQueued = false
    }

    /// Takes the first pod off the ring; it goes to the end if it has sessions left.
    private mutating func rotate(_ pod: PodRef) {
        firstActive = pod.pointee.nextActive
        if firstActive == nil { lastActive = nil }
        pod.pointee.nextActive = nil
        pod.pointee.isActive = false
        guard pod.pointee.firstReady != nil else { return }
        pod.pointee.isActive = true
        if let last = lastActive { last.pointee.nextActive = pod } else { firstActive = pod }
        lastActive = pod
    }

    private mutating func serve(_ connection: ConnectionRef) {
        guard connection.pointee.phase != .dead else { return }
        if let session = connection.pointee.session {
            serve(session)
        } else if let mux = connection.pointee.mux {
            serveMux(mux)
        }
    }

    /// Moves whatever can be moved for one session.
    mutating func serve(_ session: SessionRef) {
        switch session.pointee.mode {
        case .detecting, .undecided: detect(session)
        case .http: relayHTTP(session)
        case .http2: if let mux = session.pointee.down.pointee.mux { serveMux(mux) }
        case .opaque: relayOpaque(session)
        case .closing: lingering(session)
        case .dead: break
        }
    }

    /// Gives back the places of what died in this turn: no event of it can come any more.
    private mutating func bury() {
        buryStreams()
        var kept = 0
        for connection in grave {
            if connection.pointee.isQueued {
                // Still in a list: it leaves that by being served, and goes then.
                grave[kept] = connection
                kept += 1
                continue
            }
            connection.deinitialize(count: 1)
            connections.giveBack(connection)
        }
        grave.removeLast(grave.count - kept)
        for session in sessionGrave {
            leave(session.pointee.target)
            session.deinitialize(count: 1)
            sessions.giveBack(session)
        }
        sessionGrave.removeAll(keepingCapacity: true)
        if isDraining { continueDraining() }
    }
}
