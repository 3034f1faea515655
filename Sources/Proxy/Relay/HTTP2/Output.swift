// SPDX-License-Identifier: Apache-2.0

import Kernel
import ProxyLink
import Wire

extension Worker {
    /// Has `write` put at most `count` bytes into a connection's output; they are sent at the end of the turn.
    @inline(__always)
    mutating func emit(_ mux: MuxRef, _ count: Int, _ write: (UnsafeMutableRawPointer) -> Int) {
        let connection = mux.pointee.connection
        guard let pod = takesOutput(mux) else { return }
        buffers.reserve(&connection.pointee.output, count, for: pod)
        connection.pointee.output.commit(write(connection.pointee.output.tail))
        guard !mux.pointee.isUnflushed else { return }
        mux.pointee.isUnflushed = true
        mux.pointee.nextUnflushed = firstUnflushed
        firstUnflushed = mux
    }

    /// Whether more may be written, and who pays. Bodies respect ``Limits/muxOutput``; a peer that only makes us answer, and
    /// does not read, is cut off.
    @inline(__always)
    private mutating func takesOutput(_ mux: MuxRef) -> PodRef? {
        let connection = mux.pointee.connection
        guard !connection.pointee.isBroken, connection.pointee.phase == .open else { return nil }
        if connection.pointee.output.count >= Limits.muxOutputFlood { cutOff(mux) }
        return connection.pointee.isBroken ? nil : connection.pointee.pod
    }

    @inline(never)
    private mutating func cutOff(_ mux: MuxRef) {
        _ = flood(mux, .controlFlood)
        mux.pointee.connection.pointee.isBroken = true
        enqueue(mux.pointee.connection)
    }

    /// Writes what the turn has produced.
    mutating func flushMuxes() {
        while let mux = firstUnflushed {
            firstUnflushed = mux.pointee.nextUnflushed
            mux.pointee.nextUnflushed = nil
            mux.pointee.isUnflushed = false
            let connection = mux.pointee.connection
            guard !mux.pointee.isClosed, connection.pointee.phase == .open, let pod = connection.pointee.pod else {
                continue
            }
            let start = now
            let isEmpty = flush(connection)
            readClock()
            pod.pointee.processorTime &+= now &- start
            // It has failed, or there is room again for what waits.
            if connection.pointee.isBroken || (isEmpty && mux.pointee.firstPending != nil) { enqueue(connection) }
        }
    }

    /// The first thing we say on a connection (RFC 9113 §3.4).
    mutating func greet(_ mux: MuxRef) {
        let common = HTTP2.Setting(HTTP2.Setting.maximumHeaderListSize, UInt32(HTTP2.maximumHeaderListBytes))
        let isServer = mux.pointee.role == .server
        emit(mux, 128) { output in
            var at = 0
            if isServer {
                let settings: InlineArray<3, HTTP2.Setting> = [
                    HTTP2.Setting(HTTP2.Setting.maximumConcurrentStreams, HTTP2.concurrentStreams), common,
                    HTTP2.Setting(HTTP2.Setting.enableConnectProtocol, 1),
                ]
                at += HTTP2.FrameWriter.settings(output, settings.span)
            } else {
                output.copyMemory(from: HTTP2.preface.utf8Start, byteCount: HTTP2.prefaceBytes)
                at += HTTP2.prefaceBytes
                let settings: InlineArray<2, HTTP2.Setting> = [HTTP2.Setting(HTTP2.Setting.enablePush, 0), common]
                at += HTTP2.FrameWriter.settings(output + at, settings.span)
            }
            let more = UInt32(HTTP2.connectionWindow - 65_535)
            return at + HTTP2.FrameWriter.windowUpdate(output + at, stream: 0, more)
        }
    }

    /// Encodes ``block``, or ``rebuilt``, as HEADERS and, when it is long, CONTINUATION.
    mutating func emitFields(_ mux: MuxRef, _ id: UInt32, isRebuilt: Bool, endsStream: Bool) {
        if isRebuilt {
            emitFields(mux, id, rebuilt.count, rebuilt.listBytes, endsStream) { worker, index, output in
                worker.encode(mux, worker.rebuilt[index], worker.rebuilt.bytes, to: output)
            }
        } else {
            emitFields(mux, id, block.count, block.listBytes, endsStream) { worker, index, output in
                worker.encode(mux, worker.block[index], worker.block.bytes, to: output)
            }
        }
    }

    @inline(__always)
    private mutating func emitFields(
        _ mux: MuxRef, _ id: UInt32, _ fields: Int, _ listBytes: Int, _ endsStream: Bool,
        _ encode: (inout Worker, Int, UnsafeMutableRawPointer) -> Int
    ) {
        let connection = mux.pointee.connection
        guard let pod = takesOutput(mux) else { return }
        let largest = HPACKEncoder.maximumBlockBytes(fields: fields, bytes: listBytes - 32 * fields)
        // Room for the heads of all frames that the block may need.
        let frames = largest / mux.pointee.peer.frameBytes + 1
        buffers.reserve(&connection.pointee.output, largest + frames * HTTP2.frameHeadBytes, for: pod)
        let start = connection.pointee.output.tail
        let body = start + HTTP2.frameHeadBytes
        var size = mux.pointee.encoder.begin(body)
        for index in 0..<fields { size += encode(&self, index, body + size) }
        emit(mux, 0) { _ in Worker.frameBlock(start, size, mux.pointee.peer.frameBytes, id, endsStream) }
    }

    @inline(__always)
    private mutating func encode(
        _ mux: MuxRef, _ field: FieldBlock.Field, _ bytes: UnsafeRawPointer, to output: UnsafeMutableRawPointer
    ) -> Int {
        mux.pointee.encoder.encode(
            name: UnsafeRawBufferPointer(start: bytes + Int(field.name.start), count: field.name.count),
            value: UnsafeRawBufferPointer(start: bytes + Int(field.value.start), count: field.value.count),
            nameToken: field.nameToken, isSensitive: field.isSensitive, to: output)
    }

    /// Puts frame heads before and into an encoded block that lies behind the room for the first one. Returns all bytes.
    private static func frameBlock(
        _ start: UnsafeMutableRawPointer, _ size: Int, _ frameBytes: Int, _ id: UInt32, _ endsStream: Bool
    ) -> Int {
        let flags: UInt8 = endsStream ? 0x1 : 0
        guard size > frameBytes else {
            return HTTP2.FrameWriter.head(start, length: size, .headers, flags: flags | 0x4, stream: id) + size
        }
        let frames = (size + frameBytes - 1) / frameBytes
        // From the last part to the first, each moves on by the heads before it.
        for frame in stride(from: frames - 1, through: 0, by: -1) {
            let length = min(frameBytes, size - frame * frameBytes)
            let part = start + HTTP2.frameHeadBytes + frame * frameBytes
            let place = start + frame * (frameBytes + HTTP2.frameHeadBytes)
            (place + HTTP2.frameHeadBytes).copyMemory(from: part, byteCount: length)
            let isLast = frame == frames - 1
            _ = HTTP2.FrameWriter.head(
                place, length: length, frame == 0 ? .headers : .continuation,
                flags: (frame == 0 ? flags : 0) | (isLast ? 0x4 : 0), stream: id)
        }
        return size + frames * HTTP2.frameHeadBytes
    }

    /// Ends a stream on the wire.
    mutating func emitReset(_ mux: MuxRef, _ id: UInt32, _ code: HTTP2.ErrorCode) {
        mux.pointee.noteReset(id)
        mux.pointee.expectedStrays = min(mux.pointee.expectedStrays + Limits.expectedStrays, 1 << 20)
        emit(mux, HTTP2.FrameWriter.largestControlFrame) {
            HTTP2.FrameWriter.resetStream($0, stream: id, code)
        }
    }
}
