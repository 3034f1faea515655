// SPDX-License-Identifier: Apache-2.0

import ProxyLink
import Telemetry
import Wire

extension Worker {
    /// Takes the frames that a chunk holds; how many bytes of it have been dealt with.
    mutating func readFrames(_ mux: MuxRef, _ chunk: Chunk) -> Int {
        let bytes = chunk.bytes
        var at = 0
        do throws(HTTP2Error) {
            while !mux.pointee.isClosed {
                switch try mux.pointee.reader.next(bytes.span, at: &at) {
                case .needMore: return at
                case .data(let piece): try onData(mux, piece, chunk.base)
                case .frame(let head, let payload): try onFrame(mux, head, payload, bytes)
                }
            }
        } catch {
            connectionError(mux, error)
        }
        return chunk.count
    }

    private mutating func onFrame(
        _ mux: MuxRef, _ head: HTTP2.FrameHead, _ payload: ByteRange, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(HTTP2Error) {
        switch head.type {
        case .headers, .continuation: try onHeaders(mux, head, payload, bytes)
        case .windowUpdate: try onWindowUpdate(mux, head, bytes.span.word(at: Int(payload.start)) & HTTP2.lastStream)
        case .resetStream:
            try onReset(mux, head.stream, HTTP2.ErrorCode(rawValue: bytes.span.word(at: Int(payload.start))))
        case .settings: try onSettings(mux, head, payload, bytes)
        case .ping:
            if head.isAck { return onPong(mux) }
            try spendControl(mux)
            let opaque = UnsafeRawPointer(bytes.baseAddress! + Int(payload.start)).loadUnaligned(as: UInt64.self)
            emit(mux, HTTP2.FrameWriter.largestControlFrame) {
                HTTP2.FrameWriter.ping($0, opaque: opaque, isAck: true)
            }
        case .goAway:
            try spendControl(mux)
            onGoAway(mux, last: bytes.span.word(at: Int(payload.start)) & HTTP2.lastStream)
        case .priority:
            // Deprecated and ignored (RFC 9113 §5.3.2), but it has its length.
            try spendControl(mux)
            if head.length != 5 {
                emit(mux, HTTP2.FrameWriter.largestControlFrame) {
                    HTTP2.FrameWriter.resetStream($0, stream: head.stream, .frameSizeError)
                }
                if let stream = mux.pointee.streams.find(head.stream) {
                    streamErrorWasSent(stream, mux, .frameSizeError)
                }
            }
        // What is unknown is ignored (§5.5); the others do not come here.
        case .data, .pushPromise, .unknown: try spendControl(mux)
        }
    }

    // MARK: Header blocks

    private mutating func onHeaders(
        _ mux: MuxRef, _ head: HTTP2.FrameHead, _ payload: ByteRange, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(HTTP2Error) {
        let part = UnsafeBufferPointer(rebasing: bytes[payload.indices])
        if head.type == .headers && head.endsHeaders {
            return try onBlock(mux, head.stream, endsStream: head.endsStream, part)
        }
        guard let pod = mux.pointee.connection.pointee.pod else { return }
        if head.type == .headers {
            mux.pointee.fragmentsStream = head.stream
            mux.pointee.fragmentsEndStream = head.endsStream
            timers.schedule(mux.pointee.connection, at: now + Limits.headTimeout)
        } else if part.isEmpty {
            try spendControl(mux)
        }
        guard mux.pointee.fragments.count + part.count <= HTTP2.maximumBlockBytes else {
            throw flood(mux, .headerBomb)
        }
        if let base = part.baseAddress { buffers.append(&mux.pointee.fragments, base, part.count, for: pod) }
        guard head.endsHeaders else { return }
        timers.cancel(mux.pointee.connection)
        var whole = mux.pointee.fragments
        mux.pointee.fragments = Buffer()
        defer { buffers.release(&whole, for: pod) }
        let start = whole.isEmpty ? nil : whole.bytes.assumingMemoryBound(to: UInt8.self)
        try onBlock(
            mux, mux.pointee.fragmentsStream, endsStream: mux.pointee.fragmentsEndStream,
            UnsafeBufferPointer(start: start, count: whole.count))
    }

    private mutating func onBlock(
        _ mux: MuxRef, _ id: UInt32, endsStream: Bool, _ encoded: UnsafeBufferPointer<UInt8>
    ) throws(HTTP2Error) {
        block.removeAll()
        do throws(HPACKError) {
            try mux.pointee.decoder.decode(encoded.span, into: &block)
        } catch {
            throw HTTP2Error(.compressionError)
        }
        if block.isTooLarge { count(.headerBomb) }
        if mux.pointee.role == .server {
            try onRequestBlock(mux, id, endsStream: endsStream)
        } else {
            try onResponseBlock(mux, id, endsStream: endsStream)
        }
    }

    // MARK: What concerns the connection

    private mutating func onSettings(
        _ mux: MuxRef, _ head: HTTP2.FrameHead, _ payload: ByteRange, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(HTTP2Error) {
        if head.isAck { return }
        try spendControl(mux)
        let change = try mux.pointee.peer.apply(bytes.span, payload, role: mux.pointee.role)
        mux.pointee.encoder.setPeerLimit(mux.pointee.peer.headerTableBytes)
        if change != 0 {
            let role = mux.pointee.role
            var fits = true
            mux.pointee.streams.forEach { if !$0.side(role).pointee.sendWindow.shift(by: change) { fits = false } }
            guard fits else { throw HTTP2Error(.flowControlError) }
            if change > 0 { pendStalled(mux) }
        }
        emit(mux, HTTP2.FrameWriter.largestControlFrame) { HTTP2.FrameWriter.settingsAck($0) }
        if mux.pointee.role == .client { startWaiting(mux) }
        pump(mux)
    }

    private mutating func onWindowUpdate(
        _ mux: MuxRef, _ head: HTTP2.FrameHead, _ increment: UInt32
    ) throws(HTTP2Error) {
        if increment < Limits.tinyWindowUpdate {
            if mux.pointee.expectedUpdates > 0 {
                mux.pointee.expectedUpdates -= 1
            } else if !mux.pointee.controlBudget.spend(now: now) {
                throw flood(mux, .windowAbuse)
            }
        }
        if head.stream == 0 {
            guard increment > 0 else { throw HTTP2Error(.protocolError) }
            guard mux.pointee.sendWindow.expand(by: increment) else { throw HTTP2Error(.flowControlError) }
            return pump(mux)
        }
        guard let stream = mux.pointee.streams.find(head.stream) else {
            if isIdle(mux, head.stream) { throw HTTP2Error(.protocolError) }
            return
        }
        let side = stream.side(mux.pointee.role)
        guard increment > 0 else { return streamError(stream, mux, .protocolError) }
        guard side.pointee.sendWindow.expand(by: increment) else { return streamError(stream, mux, .flowControlError) }
        if !side.pointee.backlog.isEmpty {
            pend(stream, side, mux)
            pump(mux)
        }
    }

    /// Whether a stream has not begun yet (RFC 9113 §5.1).
    func isIdle(_ mux: MuxRef, _ id: UInt32) -> Bool {
        guard id & 1 == 1 else { return true }
        return mux.pointee.role == .server ? id > mux.pointee.lastPeerStream : id >= mux.pointee.nextStream
    }

    // MARK: Floods

    /// A frame for a stream that is over. What was under way when we reset streams is expected; more is not.
    mutating func spendStray(_ mux: MuxRef) throws(HTTP2Error) {
        if mux.pointee.expectedStrays > 0 {
            mux.pointee.expectedStrays -= 1
        } else if !mux.pointee.controlBudget.spend(now: now) {
            throw flood(mux, .controlFlood)
        }
    }

    mutating func spendControl(_ mux: MuxRef) throws(HTTP2Error) {
        guard mux.pointee.controlBudget.spend(now: now) else { throw flood(mux, .controlFlood) }
        guard mux.pointee.connection.pointee.output.count < Limits.muxOutputFlood else {
            throw flood(mux, .controlFlood)
        }
    }

    /// The peer has overdone it: counts that, and returns what to end the connection with.
    mutating func flood(_ mux: MuxRef, _ kind: WorkerCounter) -> HTTP2Error {
        count(kind)
        let connection = mux.pointee.connection
        connection.pointee.pod?.pointee.count(.floodLimit, connection.pointee.isInbound ? .inbound : .outbound)
        return HTTP2Error(.enhanceYourCalm)
    }
}
