// SPDX-License-Identifier: Apache-2.0

import CLibBPF
import Glibc

/// The reading end of a ring buffer map that holds records of one C type. One reader at a time.
@safe package struct RingBuffer<Record: BitwiseCopyable>: ~Copyable {
    private let ring: OpaquePointer
    private let sink: RecordSink

    init(map: CInt, name: String) throws(BPFError) {
        let sink = RecordSink()
        // The sink lives as long as the ring, which is all that refers to it.
        let context = unsafe Unmanaged.passUnretained(sink).toOpaque()
        let made = unsafe ring_buffer__new(
            map,
            { context, data, size in
                guard let context = unsafe context, let data = unsafe data else { return 0 }
                let sink = unsafe Unmanaged<RecordSink>.fromOpaque(context).takeUnretainedValue()
                unsafe sink.receive(UnsafeRawBufferPointer(start: data, count: size))
                return 0
            }, context, nil)
        let code = errno
        guard let ring = unsafe made else { throw BPFError(.ringBuffer, name, code) }
        unsafe self.ring = unsafe ring
        self.sink = sink
    }

    deinit { unsafe ring_buffer__free(ring) }

    /// Readable (epoll) while there are records. Borrowed: do not close it.
    package var descriptor: CInt { unsafe ring_buffer__epoll_fd(ring) }

    /// Takes what is there, oldest first; does not wait.
    package mutating func drain(_ body: (Record) -> Void) throws(BPFError) {
        let status = withoutActuallyEscaping(body) { body in
            unsafe sink.receive = { bytes in
                guard bytes.count >= MemoryLayout<Record>.size else { return }
                body(unsafe bytes.loadUnaligned(as: Record.self))
            }
            defer { unsafe sink.receive = { _ in } }
            return unsafe ring_buffer__consume(ring)
        }
        guard status >= 0 else { throw BPFError(.ringBuffer, "records", -status) }
    }
}

/// A C callback cannot be generic: it finds its way through this.
@safe private final class RecordSink {
    var receive: (UnsafeRawBufferPointer) -> Void = { _ in }
}
