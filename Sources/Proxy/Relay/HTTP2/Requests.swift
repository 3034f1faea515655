// SPDX-License-Identifier: Apache-2.0

import ProxyLink
import Telemetry
import Wire

extension Worker {
    /// A downstream's header block is in ``block``: a request, or its trailers.
    mutating func onRequestBlock(_ mux: MuxRef, _ id: UInt32, endsStream: Bool) throws(HTTP2Error) {
        if let stream = mux.pointee.streams.find(id) {
            return onRequestTrailers(stream, mux, endsStream: endsStream)
        }
        guard let session = mux.pointee.owner, id & 1 == 1 else { throw HTTP2Error(.protocolError) }
        guard id > mux.pointee.lastPeerStream else {
            if mux.pointee.wasReset(id) { return }
            throw HTTP2Error(.streamClosed)
        }
        mux.pointee.lastPeerStream = id
        guard id <= mux.pointee.lastServed else { return }
        let pod = session.pointee.pod
        guard mux.pointee.streams.count < Int(HTTP2.concurrentStreams), pod.pointee.streams < Limits.streamsPerPod
        else {
            count(.tooManyStreams)
            if pod.pointee.streams >= Limits.streamsPerPod { pod.pointee.count(.podLimit, session.pointee.direction) }
            return try refuse(mux, id, .refusedStream)
        }
        if block.isTooLarge {
            pod.pointee.count(.headTooLarge, session.pointee.direction)
            return answerTooLarge(mux, id, endsStream: endsStream)
        }
        do throws(HTTP2StreamError) {
            let request = try HTTP2.RequestFields.read(block)
            guard !endsStream || request.contentLength <= 0 else { throw HTTP2StreamError(.protocolError) }
            begin(request, session, mux, id, endsStream: endsStream)
        } catch {
            pod.pointee.count(.malformedMessage, session.pointee.direction)
            try refuse(mux, id, error.code)
        }
    }

    /// A stream does not even begin.
    private mutating func refuse(_ mux: MuxRef, _ id: UInt32, _ code: HTTP2.ErrorCode) throws(HTTP2Error) {
        guard mux.pointee.resetBudget.spend(now: now) else { throw flood(mux, .rapidReset) }
        emitReset(mux, id, code)
    }

    private mutating func begin(
        _ request: HTTP2.RequestFields, _ session: SessionRef, _ mux: MuxRef, _ id: UInt32, endsStream: Bool
    ) {
        let stream = streams.take()
        stream.initialize(to: Stream(session: session, id: id, mux: mux, request: request))
        stream.pointee.down.receivedHead = true
        stream.pointee.down.receivedEnd = endsStream
        stream.pointee.exchange.begin(at: turnStart)
        mux.pointee.streams.insert(id, stream)
        session.pointee.pod.pointee.streams += 1
        count(.streams)
        begun.append(stream)
        appendFields(&stream.pointee.kept, isRebuilt: false, endsStream: false, stream)
        if session.pointee.isDenied { return failStream(stream, .policyDenied) }
        switch choose(session, stream.exchange) {
        case .failure(let failure): failStream(stream, failure.reason)
        case .success(let place):
            beginSeries(session, stream.exchange, authority: text(block.bytes, request.authority), isSent: false)
            if !taps.isEmpty { tapRequest(stream, request, block.bytes) }
            attach(stream, place, isRebuilt: false)
        }
    }

    private func text(_ bytes: UnsafeRawPointer, _ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes + Int(range.start), count: range.count)
    }

    private mutating func tapRequest(
        _ stream: StreamRef, _ request: HTTP2.RequestFields, _ bytes: UnsafeRawPointer
    ) {
        tapRequest(
            stream.pointee.session, stream.exchange,
            TapText(
                method: text(bytes, request.methodRange), authority: text(bytes, request.authority),
                path: text(bytes, request.path)))
    }

    /// A request fails before an endpoint was found for it: it is counted, and shown to taps, all the same.
    @inline(never)
    mutating func countUnsent(_ stream: StreamRef) {
        guard stream.pointee.exchange.series == nil, stream.pointee.exchange.isActive else { return }
        rebuild(stream)
        guard let request = try? HTTP2.RequestFields.read(rebuilt) else { return }
        beginSeries(
            stream.pointee.session, stream.exchange, authority: text(rebuilt.bytes, request.authority), isSent: false)
        if !taps.isEmpty { tapRequest(stream, request, rebuilt.bytes) }
    }

    /// Puts the request's head that was kept into ``rebuilt``.
    mutating func rebuild(_ stream: StreamRef) {
        rebuilt.removeAll()
        guard !stream.pointee.kept.isEmpty else { return }
        let record = Record(stream.pointee.kept.bytes)
        PackedFields.unpack(stream.pointee.kept.bytes + Record.headBytes, Int(record.length), into: &rebuilt)
    }

    private mutating func onRequestTrailers(_ stream: StreamRef, _ mux: MuxRef, endsStream: Bool) {
        let down = stream.down
        guard !down.pointee.receivedEnd else { return streamError(stream, mux, .streamClosed) }
        guard endsStream, down.pointee.expected <= 0, !block.isTooLarge,
            (try? HTTP2.TrailerFields.read(block)) != nil
        else { return streamError(stream, mux, .protocolError) }
        down.pointee.receivedEnd = true
        if stream.pointee.up.mux == nil {
            // It waits: its trailers wait behind its body.
            appendFields(&stream.pointee.kept, isRebuilt: false, endsStream: true, stream)
            stream.pointee.keptData = -1
            stream.pointee.hasTrailers = true
            return
        }
        // A request with trailers is rare, and is not sent twice.
        stream.pointee.keepsBody = false
        buffers.release(&stream.pointee.kept, for: stream.pointee.session.pointee.pod)
        if stream.pointee.up.sentEnd { return closeIfOver(stream) }
        if !sendFields(stream, stream.up, isRebuilt: false, endsStream: true) {
            failStream(stream, .memoryLimit)
        }
    }

    /// The request has found its connection: it goes out there.
    mutating func open(_ stream: StreamRef, on mux: MuxRef, isRebuilt: Bool) {
        let id = mux.pointee.nextStream
        mux.pointee.nextStream += 2
        stream.pointee.up = StreamSide(mux: mux, id: id)
        mux.pointee.streams.insert(id, stream)
        beginInboundSeries(stream.pointee.session, stream.exchange)
        if isRebuilt { rebuild(stream) }
        let size = Record.headBytes + Int(Record(stream.pointee.kept.bytes).length)
        let hasMore = stream.pointee.kept.count > size
        let endsStream = stream.pointee.down.receivedEnd && !hasMore
        _ = sendFields(stream, stream.up, isRebuilt: isRebuilt, endsStream: endsStream)
        if hasMore { replayBody(stream, from: size) }
        guard stream.pointee.kept.count > Limits.keptRequestBytes || stream.pointee.hasTrailers else { return }
        stream.pointee.keepsBody = false
        buffers.release(&stream.pointee.kept, for: stream.pointee.session.pointee.pod)
    }

    /// Sends what was kept of the body.
    private mutating func replayBody(_ stream: StreamRef, from start: Int) {
        var at = start
        let count = stream.pointee.kept.count
        while at < count, !stream.pointee.isDead {
            let bytes = stream.pointee.kept.bytes + at
            let record = Record(bytes)
            at += Record.headBytes + Int(record.length)
            let isLast = at == count
            switch record.kind {
            case .data:
                send(
                    stream, stream.up, bytes + Record.headBytes, Int(record.length),
                    endsStream: isLast && stream.pointee.down.receivedEnd)
            case .fields:
                rebuilt.removeAll()
                PackedFields.unpack(bytes + Record.headBytes, Int(record.length), into: &rebuilt)
                _ = sendFields(stream, stream.up, isRebuilt: true, endsStream: true)
            }
        }
    }

    /// The downstream has reset a stream, or the upstream has.
    mutating func onReset(_ mux: MuxRef, _ id: UInt32, _ code: HTTP2.ErrorCode) throws(HTTP2Error) {
        guard let stream = mux.pointee.streams.find(id) else {
            if isIdle(mux, id) { throw HTTP2Error(.protocolError) }
            return
        }
        if mux.pointee.role == .client { return onUpstreamReset(stream, code) }
        // Whoever has its answer may stop sending; giving up on one is what may not be done without end.
        if !stream.pointee.down.sentEnd {
            guard mux.pointee.resetBudget.spend(now: now) else { throw flood(mux, .rapidReset) }
            stream.pointee.exchange.failure = .requestCancelled
            stream.pointee.exchange.resetCode = code.rawValue
            let session = stream.pointee.session
            session.pointee.pod.pointee.count(.requestCancelled, session.pointee.direction)
        }
        countUnsent(stream)
        cancelUpstream(stream, code)
        closeStream(stream)
    }
}
