// SPDX-License-Identifier: Apache-2.0

// Stage 7, relay: reading and writing. Bytes are read into the worker's one buffer and written from there; only what
// cannot be used or taken at once is copied into a buffer of its own. Nothing is read for a side that still has bytes to
// write, so a slow reader slows the writer and never fills our memory.

import Glibc
import Kernel

/// Bytes that have been read and are to be looked at: in the worker's buffer, or in the connection's own.
struct Chunk {
    let base: UnsafeRawPointer
    let count: Int
    let isOwned: Bool

    /// The bytes as the parsers take them.
    var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base.assumingMemoryBound(to: UInt8.self), count: count)
    }
}

extension Worker {
    /// Bytes of a connection: those that wait, or a fresh read; `nil` if there are none now.
    ///
    /// After `nil` the connection's flags tell the rest: `readEnded`, or `errno` when it failed.
    mutating func take(_ connection: ConnectionRef) -> Chunk? {
        if !connection.pointee.input.isEmpty {
            if connection.pointee.inputIsStale {
                guard connection.pointee.isReadable, receiveIntoInput(connection, limit: Limits.readBytes) > 0 else {
                    return nil
                }
                connection.pointee.inputIsStale = false
            }
            let input = connection.pointee.input
            return Chunk(base: input.bytes, count: input.count, isOwned: true)
        }
        guard connection.pointee.isReadable else { return nil }
        let size = receive(connection, scratch, Limits.readBytes)
        return size > 0 ? Chunk(base: UnsafeRawPointer(scratch), count: size, isOwned: false) : nil
    }

    /// `consumed` bytes of a chunk have been dealt with; the rest waits.
    mutating func settle(_ connection: ConnectionRef, _ chunk: Chunk, _ consumed: Int) {
        guard let pod = connection.pointee.pod else { return }
        if chunk.isOwned {
            connection.pointee.input.consume(consumed)
            buffers.releaseIfEmpty(&connection.pointee.input, for: pod)
        } else if consumed < chunk.count {
            buffers.append(&connection.pointee.input, chunk.base + consumed, chunk.count - consumed, for: pod)
        }
    }

    /// Reads behind what waits already, up to `limit` waiting bytes. As ``receive(_:_:_:)``.
    mutating func receiveIntoInput(_ connection: ConnectionRef, limit: Int) -> Int {
        guard let pod = connection.pointee.pod else { return 0 }
        let waiting = connection.pointee.input.count
        guard waiting < limit else { return 0 }
        let wanted = min(limit - waiting, BufferPool.readBytes)
        buffers.reserve(&connection.pointee.input, wanted, for: pod)
        let size = receive(
            connection, connection.pointee.input.tail, min(connection.pointee.input.room, limit - waiting))
        if size > 0 { connection.pointee.input.commit(size) }
        buffers.releaseIfEmpty(&connection.pointee.input, for: pod)
        return size
    }

    /// One read. More than 0: bytes. 0: the end of the stream, `readEnded` is set. Less: nothing now, or `errno` is set.
    private mutating func receive(_ connection: ConnectionRef, _ buffer: UnsafeMutableRawPointer, _ room: Int) -> Int {
        let size = Socket.receive(connection.pointee.descriptor, buffer, room)
        if size > 0 {
            // A short read has emptied the socket; the next byte raises an event. FIN, though, may have been announced
            // together with these bytes.
            if size < room && !connection.pointee.readsStopShort { connection.pointee.isReadable = false }
            connection.pointee.count(read: size)
            if let session = connection.pointee.session, connection.pointee.role == .downstream {
                session.pointee.readBytes &+= UInt64(size)
            }
            moved += size
            return size
        }
        connection.pointee.isReadable = false
        if size == 0 {
            connection.pointee.readEnded = true
        } else if size != -Int(EAGAIN) {
            connection.pointee.errno = CInt(truncatingIfNeeded: -size)
            connection.pointee.readEnded = true
        }
        return size
    }

    /// Writes bytes, or keeps what the kernel does not take. After a failure the connection `isBroken` and bytes are lost,
    /// as they would be in the kernel.
    mutating func write(_ connection: ConnectionRef, _ bytes: UnsafeRawPointer, _ count: Int) {
        guard count > 0, !connection.pointee.isBroken, let pod = connection.pointee.pod else { return }
        var sent = 0
        if connection.pointee.output.isEmpty && connection.pointee.isWritable {
            sent = send(connection, bytes, count)
            if connection.pointee.isBroken { return }
        }
        if sent < count { buffers.append(&connection.pointee.output, bytes + sent, count - sent, for: pod) }
    }

    /// Writes what waits. True if nothing waits any more.
    mutating func flush(_ connection: ConnectionRef) -> Bool {
        guard !connection.pointee.output.isEmpty else { return true }
        guard connection.pointee.isWritable, let pod = connection.pointee.pod else { return false }
        let output = connection.pointee.output
        connection.pointee.output.consume(send(connection, output.bytes, output.count))
        if connection.pointee.isBroken { buffers.release(&connection.pointee.output, for: pod) }
        buffers.releaseIfEmpty(&connection.pointee.output, for: pod)
        return connection.pointee.output.isEmpty
    }

    /// One write; how many bytes the kernel took.
    private mutating func send(_ connection: ConnectionRef, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
        let size = Socket.send(connection.pointee.descriptor, bytes, count)
        guard size >= 0 else {
            if size == -Int(EAGAIN) {
                connection.pointee.isWritable = false
            } else {
                connection.pointee.isBroken = true
                connection.pointee.isReadable = true  // what it sent before may still be there
                if connection.pointee.errno == 0 { connection.pointee.errno = CInt(truncatingIfNeeded: -size) }
            }
            return 0
        }
        if size < count { connection.pointee.isWritable = false }
        connection.pointee.count(written: size)
        if let session = connection.pointee.session, connection.pointee.role == .downstream {
            session.pointee.writtenBytes &+= UInt64(size)
        }
        return size
    }
}
