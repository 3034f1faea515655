// SPDX-License-Identifier: Apache-2.0

// Opaque bytes: both directions independently, half-close kept, reset passed on as reset. A direction that fills whole
// reads is bulk and goes through a pipe by splice(2), which does not copy; the pipe goes back when the bulk is over.

import Glibc
import Kernel
import Telemetry

extension Worker {
    mutating func relayOpaque(_ session: SessionRef) {
        guard let up = session.pointee.up, up.pointee.phase == .open else { return }
        let down = session.pointee.down
        var progressed = true
        while progressed {
            let there = pump(session, from: down, to: up, &session.pointee.splices.0)
            let back = pump(session, from: up, to: down, &session.pointee.splices.1)
            progressed = there || back
            if down.pointee.isBroken || up.pointee.isBroken || down.pointee.errno != 0 || up.pointee.errno != 0 {
                return opaqueFailed(session, down, up)
            }
            if moved > Limits.bytesPerServe && progressed {
                enqueue(session)
                return
            }
        }
        if down.pointee.writeEnded && up.pointee.writeEnded && down.pointee.readEnded && up.pointee.readEnded {
            return finish(session)
        }
        returnPipe(&session.pointee.splices.0)
        returnPipe(&session.pointee.splices.1)
    }

    /// Moves bytes one way. True if it is worth trying again at once.
    private mutating func pump(
        _ session: SessionRef, from source: ConnectionRef, to sink: ConnectionRef, _ splice: inout SpliceState
    ) -> Bool {
        guard flush(sink) else { return false }
        var progressed = false
        if splice.isActive && splice.held > 0 {
            guard drain(&splice, to: sink) else { return false }
            progressed = true
        }
        if !source.pointee.readEnded || !source.pointee.input.isEmpty {
            if splice.isActive && source.pointee.input.isEmpty {
                progressed = fill(&splice, from: source) || progressed
                if splice.held > 0 { _ = drain(&splice, to: sink) }
            } else if source.pointee.isReadable || !source.pointee.input.isEmpty {
                guard session.pointee.pod.pointee.mayBuffer else { return starve(session) }
                source.pointee.inputIsStale = false
                if let chunk = take(source) {
                    note(chunk, &splice)
                    write(sink, chunk.base, chunk.count)
                    settle(source, chunk, chunk.count)
                    progressed = true
                }
            }
        }
        if source.pointee.readEnded && source.pointee.errno == 0 && source.pointee.input.isEmpty && splice.held == 0
            && sink.pointee.output.isEmpty && !sink.pointee.writeEnded
        {
            sink.pointee.writeEnded = true
            Socket.endWriting(sink.pointee.descriptor)
        }
        return progressed
    }

    /// Two full reads in a row make a bulk transfer: from here on by pipe.
    private mutating func note(_ chunk: Chunk, _ splice: inout SpliceState) {
        guard !chunk.isOwned, chunk.count == Limits.readBytes else {
            splice.fullReads = 0
            return
        }
        splice.fullReads += 1
        guard splice.fullReads >= Limits.readsBeforeSplice, !splice.isActive else { return }
        if let pipe = pipes.popLast() {
            (splice.reader, splice.writer) = (pipe.reader, pipe.writer)
        } else if let pipe = try? Pipe(bytes: Limits.pipeBytes) {
            (splice.reader, splice.writer) = (pipe.reader, pipe.writer)
        }
        // No descriptor left: go on copying.
    }

    /// Socket to pipe, which is empty: so would-block can only mean that the socket is.
    private mutating func fill(_ splice: inout SpliceState, from source: ConnectionRef) -> Bool {
        guard source.pointee.isReadable else { return false }
        let size = Socket.splice(
            from: source.pointee.descriptor, to: splice.writer, Limits.pipeBytes, more: false)
        if size > 0 {
            splice.held = size
            source.pointee.count(read: size)
            if let session = source.pointee.session, source.pointee.role == .downstream {
                session.pointee.readBytes &+= UInt64(size)
            }
            moved += size
            return true
        }
        source.pointee.isReadable = false
        if size == 0 {
            source.pointee.readEnded = true
        } else if size != -Int(EAGAIN) {
            source.pointee.errno = CInt(truncatingIfNeeded: -size)
            source.pointee.readEnded = true
        }
        return false
    }

    /// Pipe to socket. True if the pipe is empty.
    private mutating func drain(_ splice: inout SpliceState, to sink: ConnectionRef) -> Bool {
        while splice.held > 0 && sink.pointee.isWritable {
            let size = Socket.splice(from: splice.reader, to: sink.pointee.descriptor, splice.held, more: false)
            if size > 0 {
                splice.held -= size
                sink.pointee.count(written: size)
                if let session = sink.pointee.session, sink.pointee.role == .downstream {
                    session.pointee.writtenBytes &+= UInt64(size)
                }
            } else if size == -Int(EAGAIN) {
                sink.pointee.isWritable = false
            } else {
                sink.pointee.isBroken = true
                sink.pointee.errno = CInt(truncatingIfNeeded: -size)
                return false
            }
        }
        return splice.held == 0
    }

    /// The bulk pauses: the pipe serves others meanwhile.
    mutating func returnPipe(_ splice: inout SpliceState) {
        guard splice.isActive, splice.held == 0 else { return }
        if pipes.count < Limits.keptPipes {
            pipes.append(Pipe(reader: splice.reader, writer: splice.writer))
        } else {
            Pipe(reader: splice.reader, writer: splice.writer).close()
        }
        splice = SpliceState()
    }

    /// One side failed: the other one is told in the same way.
    private mutating func opaqueFailed(_ session: SessionRef, _ down: ConnectionRef, _ up: ConnectionRef) {
        let isDownstream = down.pointee.errno != 0
        fail(
            session, isDownstream ? .downstreamReset : .upstreamReset,
            errno: isDownstream ? down.pointee.errno : up.pointee.errno)
    }

    /// The pod has too many bytes waiting: this session is looked at again when some have gone.
    mutating func starve(_ session: SessionRef) -> Bool {
        session.pointee.pod.pointee.count(.memoryLimit, session.pointee.direction)
        timers.schedule(session.pointee.down, at: now + Limits.detectWait)
        return false
    }
}
