// SPDX-License-Identifier: Apache-2.0

import ProxyLink
import Wire

extension Worker {
    /// Some of a body has come.
    mutating func onData(
        _ mux: MuxRef, _ piece: HTTP2.FrameReader.DataPiece, _ base: UnsafeRawPointer
    ) throws(HTTP2Error) {
        let role = mux.pointee.role
        if let length = piece.frameLength {
            guard mux.pointee.receiveWindow.receive(length) else { throw HTTP2Error(.flowControlError) }
        }
        guard let stream = mux.pointee.streams.find(piece.stream) else { return try onStrayData(mux, piece) }
        let side = stream.side(role)
        if side.pointee.receivedEnd {
            creditConnection(mux, piece.content.count + piece.padding)
            return streamError(stream, mux, .streamClosed)
        }
        if let length = piece.frameLength {
            guard side.pointee.receiveWindow.receive(length) else {
                creditConnection(mux, piece.content.count + piece.padding)
                return streamError(stream, mux, .flowControlError)
            }
            if length == piece.padding && !piece.endsStream {
                guard mux.pointee.controlBudget.spend(now: now) else { throw flood(mux, .emptyFrameFlood) }
            }
        }
        let count = piece.content.count
        side.pointee.held += count + piece.padding
        if piece.padding > 0 { credit(side, piece.padding) }
        if role == .client && !side.pointee.receivedHead { return streamError(stream, mux, .protocolError) }
        if side.pointee.expected >= 0 {
            side.pointee.expected -= Int64(count)
            guard side.pointee.expected >= 0, side.pointee.expected == 0 || !piece.endsStream else {
                return streamError(stream, mux, .protocolError)
            }
        }
        side.pointee.receivedEnd = piece.endsStream
        guard count > 0 || piece.endsStream else { return }
        let bytes = base + Int(piece.content.start)
        if role == .client {
            stream.pointee.exchange.bodyBytes &+= UInt64(count)
            return send(stream, stream.down, bytes, count, endsStream: piece.endsStream)
        }
        keep(stream, bytes, count)
        if stream.pointee.up.mux != nil && !stream.pointee.up.sentEnd {
            send(stream, stream.up, bytes, count, endsStream: piece.endsStream)
        } else if stream.pointee.up.sentEnd {
            // The upstream does not want it any more.
            credit(side, count)
            if piece.endsStream { closeIfOver(stream) }
        }
    }

    /// DATA for a stream that is not open.
    @inline(never)
    private mutating func onStrayData(_ mux: MuxRef, _ piece: HTTP2.FrameReader.DataPiece) throws(HTTP2Error) {
        if isIdle(mux, piece.stream) { throw HTTP2Error(.protocolError) }
        creditConnection(mux, piece.content.count + piece.padding)
        if piece.frameLength != nil { try spendStray(mux) }
        // What was under way when we reset the stream, or said goodbye, is expected.
        guard piece.frameLength != nil, mux.pointee.role == .server, !mux.pointee.wasReset(piece.stream),
            piece.stream <= mux.pointee.lastServed
        else { return }
        guard mux.pointee.resetBudget.spend(now: now) else { throw flood(mux, .controlFlood) }
        emitReset(mux, piece.stream, .streamClosed)
    }

    /// Remembers a request's body for sending it later or again, as long as that is little.
    private mutating func keep(_ stream: StreamRef, _ bytes: UnsafeRawPointer, _ count: Int) {
        guard stream.pointee.keepsBody, count > 0 else { return }
        let isSent = stream.pointee.up.mux != nil
        if isSent && stream.pointee.kept.count + count > Limits.keptRequestBytes {
            stream.pointee.keepsBody = false
            buffers.release(&stream.pointee.kept, for: stream.pointee.session.pointee.pod)
            return
        }
        appendData(&stream.pointee.kept, &stream.pointee.keptData, bytes, count, endsStream: false, stream)
    }

    // MARK: Credit

    /// Bytes of a peer's have gone on: it may send as many again.
    mutating func credit(_ side: StreamSideRef, _ count: Int) {
        guard let mux = side.pointee.mux else { return }
        side.pointee.held -= count
        let increment = side.pointee.receiveWindow.forward(count)
        if increment > 0 && !side.pointee.receivedEnd {
            let id = side.pointee.id
            emit(mux, HTTP2.FrameWriter.largestControlFrame) {
                HTTP2.FrameWriter.windowUpdate($0, stream: id, increment)
            }
        }
        creditConnection(mux, count)
    }

    mutating func creditConnection(_ mux: MuxRef, _ count: Int) {
        let increment = mux.pointee.receiveWindow.forward(count)
        guard increment > 0 else { return }
        emit(mux, HTTP2.FrameWriter.largestControlFrame) {
            HTTP2.FrameWriter.windowUpdate($0, stream: 0, increment)
        }
    }

    /// How many of the request's bytes that have just gone to the upstream the downstream is to be credited for.
    private func creditsRequest(_ stream: StreamRef, _ count: Int) -> Int {
        stream.pointee.forwarded += count
        // Sent for the second time: credited at the first.
        let fresh = max(0, stream.pointee.forwarded - stream.pointee.credited)
        stream.pointee.credited += fresh
        return fresh
    }

    // MARK: Sending

    /// Sends bytes of a body, as many as the windows and the connection's output allow; the rest waits.
    mutating func send(
        _ stream: StreamRef, _ side: StreamSideRef, _ bytes: UnsafeRawPointer, _ count: Int, endsStream: Bool
    ) {
        guard let mux = side.pointee.mux else { return }
        var sent = 0
        if side.pointee.backlog.isEmpty {
            while sent < count {
                let size = min(count - sent, allowance(mux, side))
                guard size > 0 else {
                    if hasFlushed(mux) { continue }
                    break
                }
                emitData(stream, side, mux, bytes + sent, size, endsStream: endsStream && sent + size == count)
                sent += size
            }
            if count == 0 && endsStream { emitData(stream, side, mux, bytes, 0, endsStream: true) }
            if sent == count {
                if endsStream { sideEnded(stream, side) }
                return
            }
        }
        appendData(
            &side.pointee.backlog, &side.pointee.lastData, bytes + sent, count - sent, endsStream: endsStream, stream)
        pend(stream, side, mux)
    }

    /// Makes room in a full output by writing it now; false if there is none to be had, or it was not full.
    mutating func hasFlushed(_ mux: MuxRef) -> Bool {
        let connection = mux.pointee.connection
        guard connection.pointee.output.count >= Limits.muxOutput, connection.pointee.isWritable else { return false }
        return flush(connection) && !connection.pointee.isBroken
    }

    /// How large the next DATA frame may be.
    func allowance(_ mux: MuxRef, _ side: StreamSideRef) -> Int {
        let windows = min(side.pointee.sendWindow.available, mux.pointee.sendWindow.available)
        let room = Limits.muxOutput - mux.pointee.connection.pointee.output.count
        return min(Int(windows), room, HTTP2.maximumFrameBytes)
    }

    /// One DATA frame, which the windows allow.
    mutating func emitData(
        _ stream: StreamRef, _ side: StreamSideRef, _ mux: MuxRef, _ bytes: UnsafeRawPointer, _ count: Int,
        endsStream: Bool
    ) {
        mux.pointee.expectedUpdates = min(mux.pointee.expectedUpdates + 2, Limits.expectedUpdates)
        side.pointee.sendWindow.spend(count)
        mux.pointee.sendWindow.spend(count)
        let id = side.pointee.id
        emit(mux, HTTP2.frameHeadBytes + count) { output in
            let at = HTTP2.FrameWriter.head(output, length: count, .data, flags: endsStream ? 1 : 0, stream: id)
            (output + at).copyMemory(from: bytes, byteCount: count)
            return at + count
        }
        guard count > 0 else { return }
        if mux.pointee.role == .client {
            let fresh = creditsRequest(stream, count)
            if fresh > 0 { credit(stream.down, fresh) }
        } else {
            credit(stream.up, count)
        }
    }
}
