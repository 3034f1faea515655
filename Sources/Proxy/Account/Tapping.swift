// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import ProxyLink
import Telemetry
import Wire

extension Worker {
    /// The most taps at a time: a bit each in ``TapMarks``.
    static var maximumTaps: Int { 16 }

    mutating func startTap(_ tap: CompiledTap) {
        stopTap(tap.id)
        // A fixed place for each tap, because running requests hold its bit.
        if taps.count < Worker.maximumTaps { taps.append(tap) }
    }

    mutating func stopTap(_ id: UInt32) {
        guard let index = taps.firstIndex(where: { $0.id == id }) else { return }
        taps.remove(at: index)
        // Bits above move down: forget all marks rather than give an event to the wrong tap.
        for pod in pods.values {
            var next = pod.pointee.firstSession
            while let session = next {
                session.pointee.exchange.tap = TapMarks()
                session.pointee.down.pointee.mux?.pointee.streams.forEach { $0.pointee.exchange.tap = TapMarks() }
                next = session.pointee.nextInPod
            }
        }
    }

    /// The parts of a request that a tap looks at.
    struct TapText {
        let method: UnsafeRawBufferPointer
        let authority: UnsafeRawBufferPointer
        let path: UnsafeRawBufferPointer
    }

    /// A request's head is known: mark it for the taps that want it, and report it.
    @inline(never)
    mutating func tapRequest(_ session: SessionRef, _ exchange: ExchangeRef, _ text: TapText) {
        mark(session, exchange) { tap in
            (tap.method.isEmpty || text.method.elementsEqual(tap.method))
                && (tap.authority.isEmpty || text.authority.elementsEqual(tap.authority))
                && text.path.starts(with: tap.pathPrefix)
        }
        guard exchange.pointee.tap.isMarked else { return }
        func string(_ bytes: UnsafeRawBufferPointer) -> String {
            String(decoding: bytes.prefix(TapEvent.maximumTextBytes), as: UTF8.self)
        }
        report(
            session, exchange,
            .request(method: string(text.method), authority: string(text.authority), path: string(text.path)))
    }

    /// The same for a head in HTTP/1.
    mutating func tapRequest(_ session: SessionRef, _ head: RequestHead, _ chunk: Chunk) {
        func text(_ range: ByteRange) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: chunk.base + Int(range.start), count: range.count)
        }
        tapRequest(
            session, session.exchange,
            TapText(method: text(head.methodRange), authority: text(head.authority), path: text(head.path)))
    }

    @inline(never)
    mutating func tapResponse(_ session: SessionRef, _ exchange: ExchangeRef) {
        let latency = max(exchange.pointee.responded, exchange.pointee.started)
        report(
            session, exchange,
            .response(
                status: exchange.pointee.status, latencyMicroseconds: (latency - exchange.pointee.started) / 1000))
    }

    @inline(never)
    mutating func tapEnd(_ session: SessionRef, _ exchange: ExchangeRef, responded: UInt64) {
        report(
            session, exchange,
            .end(
                durationMicroseconds: (now - min(responded, now)) / 1000, responseBytes: exchange.pointee.bodyBytes,
                failure: exchange.pointee.failure, grpcStatus: exchange.pointee.grpcStatus,
                resetCode: exchange.pointee.resetCode))
        exchange.pointee.tap = TapMarks()
    }

    /// A connection has turned out to be opaque.
    mutating func tapOpen(_ session: SessionRef) {
        guard !taps.isEmpty else { return }
        mark(session, session.exchange) { !$0.isHTTPOnly }
        if session.pointee.exchange.tap.isMarked { report(session, session.exchange, .open) }
    }

    mutating func tapClose(_ session: SessionRef) {
        guard session.pointee.exchange.tap.isMarked, session.pointee.mode == .opaque else { return }
        report(
            session, session.exchange,
            .close(
                durationMicroseconds: (now - min(session.pointee.opened, now)) / 1000,
                readBytes: session.pointee.readBytes, writtenBytes: session.pointee.writtenBytes,
                failure: session.pointee.exchange.failure))
        session.pointee.exchange.tap = TapMarks()
    }

    private mutating func mark(_ session: SessionRef, _ exchange: ExchangeRef, _ matches: (CompiledTap) -> Bool) {
        exchange.pointee.tap = TapMarks()
        let (own, peer, direction) = (
            session.pointee.pod.pointee.id, peer(session, exchange), session.pointee.direction
        )
        let other = otherPod(session, exchange)?.pointee.id
        for (index, tap) in taps.enumerated() {
            let wantsOwn = tap.wants(pod: own, peer: peer, direction: direction)
            let wantsOther = other.map { tap.wants(pod: $0, peer: own, direction: .inbound) } ?? false
            guard wantsOwn || wantsOther, matches(tap) else { continue }
            guard tap.take(now: now) else {
                count(.tapDropped)
                continue
            }
            if wantsOwn { exchange.pointee.tap.own |= 1 << UInt16(index) }
            if wantsOther { exchange.pointee.tap.other |= 1 << UInt16(index) }
        }
        guard exchange.pointee.tap.isMarked else { return }
        exchange.pointee.tap.otherPod = other ?? .none
        exchange.pointee.tap.peer = peer
        exchange.pointee.tap.destination =
            session.pointee.up?.pointee.address
            ?? (direction == .inbound ? session.pointee.original : chosenAddress(session, exchange))
        exchange.pointee.tap.stream = nextStream
        nextStream += 1
    }

    private mutating func report(_ session: SessionRef, _ exchange: ExchangeRef, _ kind: TapEvent.Kind) {
        let marks = exchange.pointee.tap
        let (own, other) = (session.pointee.pod.pointee.id, marks.otherPod)
        for (index, tap) in taps.enumerated() {
            let bit = UInt16(1) << UInt16(index)
            guard (marks.own | marks.other) & bit != 0 else { continue }
            var event = TapEvent(
                tap: tap.id, base: options.tapBase, stream: marks.stream, pod: own, peer: marks.peer,
                direction: session.pointee.direction, security: other == .none ? .none : .local,
                source: session.pointee.client, destination: marks.destination, kind: kind)
            if marks.own & bit != 0 { append(event) }
            if marks.other & bit != 0 {
                event.pod = other
                event.peer = own
                event.direction = .inbound
                append(event)
            }
        }
        flushTaps()
    }

    private func chosenAddress(_ session: SessionRef, _ exchange: ExchangeRef) -> SocketAddress {
        let places = session.pointee.target.pointee.places
        guard exchange.pointee.hasCandidate, exchange.pointee.candidate < places.count else {
            return session.pointee.original
        }
        return places[exchange.pointee.candidate].address
    }

    private mutating func append(_ event: TapEvent) {
        if tapBuffer.bytes.isEmpty { tapBuffer.write(ProxyMessage.Kind.taps.rawValue) }
        event.encode(into: &tapBuffer)
    }

    private mutating func flushTaps() {
        guard !tapBuffer.bytes.isEmpty else { return }
        outbox.put(.message(tapBuffer.bytes))
        tapBuffer.removeAll()
    }
}
