// SPDX-License-Identifier: Apache-2.0

import Wire

extension Worker {
    // MARK: Putting in

    /// Sends ``block``, or ``rebuilt``, on one side of a stream, after what waits there. False if that is more than a stream
    /// may have waiting.
    mutating func sendFields(_ stream: StreamRef, _ side: StreamSideRef, isRebuilt: Bool, endsStream: Bool) -> Bool {
        guard let mux = side.pointee.mux else { return true }
        if side.pointee.backlog.isEmpty && mux.pointee.connection.pointee.output.count < Limits.muxOutput {
            emitFields(mux, side.pointee.id, isRebuilt: isRebuilt, endsStream: endsStream)
            if endsStream { sideEnded(stream, side) }
            return true
        }
        let size = isRebuilt ? PackedFields.size(rebuilt) : PackedFields.size(block)
        guard side.pointee.backlog.count + size + Record.headBytes <= Limits.backlogBytes else { return false }
        appendFields(&side.pointee.backlog, isRebuilt: isRebuilt, endsStream: endsStream, stream)
        side.pointee.lastData = -1
        pend(stream, side, mux)
        return true
    }

    /// Adds a record with ``block``, or ``rebuilt``.
    mutating func appendFields(_ buffer: inout Buffer, isRebuilt: Bool, endsStream: Bool, _ stream: StreamRef) {
        let size = isRebuilt ? PackedFields.size(rebuilt) : PackedFields.size(block)
        buffers.reserve(&buffer, size + Record.headBytes, for: stream.pointee.session.pointee.pod)
        Record(.fields, endsStream: endsStream, length: size).store(to: buffer.tail)
        buffer.commit(Record.headBytes)
        let packed = isRebuilt ? PackedFields.pack(rebuilt, to: buffer.tail) : PackedFields.pack(block, to: buffer.tail)
        assert(packed == size)
        buffer.commit(packed)
    }

    /// Adds bytes of a body to the DATA record at `last`, or in a new one; `last` is its place among the waiting bytes.
    mutating func appendData(
        _ buffer: inout Buffer, _ last: inout Int, _ bytes: UnsafeRawPointer, _ count: Int, endsStream: Bool,
        _ stream: StreamRef
    ) {
        let pod = stream.pointee.session.pointee.pod
        if last < 0 {
            last = buffer.count
            buffers.reserve(&buffer, count + Record.headBytes, for: pod)
            Record(.data, endsStream: endsStream, length: 0).store(to: buffer.tail)
            buffer.commit(Record.headBytes)
        }
        buffers.append(&buffer, bytes, count, for: pod)
        var record = Record(buffer.bytes + last)
        record.length += UInt32(count)
        record.endsStream = endsStream
        record.store(to: UnsafeMutableRawPointer(mutating: buffer.bytes + last))
    }

    // MARK: The list of streams that have something to send

    mutating func pend(_ stream: StreamRef, _ side: StreamSideRef, _ mux: MuxRef) {
        guard !side.pointee.isPending else { return }
        side.pointee.isPending = true
        side.pointee.nextPending = nil
        side.pointee.previousPending = mux.pointee.lastPending
        if let last = mux.pointee.lastPending {
            last.side(mux.pointee.role).pointee.nextPending = stream
        } else {
            mux.pointee.firstPending = stream
        }
        mux.pointee.lastPending = stream
    }

    func unpend(_ side: StreamSideRef) {
        guard side.pointee.isPending, let mux = side.pointee.mux else { return }
        let role = mux.pointee.role
        let (previous, next) = (side.pointee.previousPending, side.pointee.nextPending)
        if let previous {
            previous.side(role).pointee.nextPending = next
        } else {
            mux.pointee.firstPending = next
        }
        if let next { next.side(role).pointee.previousPending = previous } else { mux.pointee.lastPending = previous }
        side.pointee.isPending = false
        side.pointee.previousPending = nil
        side.pointee.nextPending = nil
    }

    /// Windows of all streams have grown: whoever waited for that tries again.
    mutating func pendStalled(_ mux: MuxRef) {
        let role = mux.pointee.role
        mux.pointee.streams.forEach { stream in
            let side = stream.side(role)
            if !side.pointee.backlog.isEmpty { pend(stream, side, mux) }
        }
    }

    // MARK: Taking out

    /// Sends what waits on a connection, a frame of each stream in turn, as far as the windows and its output allow.
    mutating func pump(_ mux: MuxRef) {
        while let stream = mux.pointee.firstPending {
            if mux.pointee.connection.pointee.output.count >= Limits.muxOutput && !hasFlushed(mux) { return }
            let side = stream.side(mux.pointee.role)
            let record = Record(side.pointee.backlog.bytes)
            unpend(side)
            switch record.kind {
            case .fields: pumpFields(stream, side, mux, record)
            case .data:
                guard pumpData(stream, side, mux, record) else { return }
            }
        }
    }

    private mutating func pumpFields(_ stream: StreamRef, _ side: StreamSideRef, _ mux: MuxRef, _ record: Record) {
        rebuilt.removeAll()
        let start = side.pointee.backlog.bytes + Record.headBytes
        PackedFields.unpack(start, Int(record.length), into: &rebuilt)
        emitFields(mux, side.pointee.id, isRebuilt: true, endsStream: record.endsStream)
        consume(stream, side, Record.headBytes + Int(record.length))
        if !side.pointee.backlog.isEmpty { pend(stream, side, mux) }
        if record.endsStream { sideEnded(stream, side) }
    }

    /// False if nothing more can be sent on the connection.
    private mutating func pumpData(
        _ stream: StreamRef, _ side: StreamSideRef, _ mux: MuxRef, _ record: Record
    ) -> Bool {
        let length = Int(record.length)
        let size = min(length, allowance(mux, side))
        guard size > 0 || length == 0 else {
            // Without credit for the stream it leaves the list until some comes.
            guard side.pointee.sendWindow.available > 0 else { return true }
            pendFirst(stream, side, mux)
            return false
        }
        let isWhole = size == length
        let isLast = side.pointee.lastData == 0
        let bytes = side.pointee.backlog.bytes + Record.headBytes
        let end = isWhole && record.endsStream
        emitData(stream, side, mux, bytes, size, endsStream: end)
        if isWhole {
            consume(stream, side, Record.headBytes + size)
        } else {
            consume(stream, side, size)
            // Its head now lies where the last of the sent bytes were.
            Record(.data, endsStream: record.endsStream, length: length - size)
                .store(to: UnsafeMutableRawPointer(mutating: side.pointee.backlog.bytes))
            if isLast { side.pointee.lastData = 0 }
        }
        if !side.pointee.backlog.isEmpty { pend(stream, side, mux) }
        if end { sideEnded(stream, side) }
        return true
    }

    private mutating func consume(_ stream: StreamRef, _ side: StreamSideRef, _ count: Int) {
        side.pointee.backlog.consume(count)
        side.pointee.lastData = max(-1, side.pointee.lastData - count)
        buffers.releaseIfEmpty(&side.pointee.backlog, for: stream.pointee.session.pointee.pod)
    }

    /// It keeps its turn.
    private func pendFirst(_ stream: StreamRef, _ side: StreamSideRef, _ mux: MuxRef) {
        side.pointee.isPending = true
        side.pointee.previousPending = nil
        side.pointee.nextPending = mux.pointee.firstPending
        if let first = mux.pointee.firstPending {
            first.side(mux.pointee.role).pointee.previousPending = stream
        } else {
            mux.pointee.lastPending = stream
        }
        mux.pointee.firstPending = stream
    }
}
