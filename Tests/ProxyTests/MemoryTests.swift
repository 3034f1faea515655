// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import ProxyLink
import Testing

@testable import Proxy

/// A pod for tests that need somebody to pay.
struct PayingPod: ~Copyable {
    let pod: PodRef

    init() {
        pod = .allocate(capacity: 1)
        let workload = Workload(uid: "test", namespace: "test", name: "test", addresses: [.anyV4])
        pod.initialize(
            to: Pod(
                id: workload.id, shared: PodShared(),
                settings: LocalPod(workload: workload, networkNamespacePath: "/proc/self/ns/net")))
    }

    deinit {
        pod.deinitialize(count: 1)
        pod.deallocate()
    }
}

@Suite("memory")
struct MemoryTests {
    @Test("what every connection and stream costs stays small")
    func layout() {
        // Of an idle connection's 8 KiB these are what is ours; both sides and the session.
        #expect(MemoryLayout<Connection>.size <= 320, "\(MemoryLayout<Connection>.size)")
        #expect(MemoryLayout<Session>.size <= 768, "\(MemoryLayout<Session>.size)")
        // 50,000 of them may be open for one pod (`Limits.streamsPerPod`).
        #expect(MemoryLayout<Stream>.size <= 640, "\(MemoryLayout<Stream>.size)")
        // Without the HPACK tables, which come with the first field that is kept.
        #expect(MemoryLayout<Mux>.size <= 1024, "\(MemoryLayout<Mux>.size)")
    }

    @Test("a buffer keeps its bytes in order through growing, compacting and consuming, and its pod pays for it")
    func buffers() {
        let payer = PayingPod()
        var pool = BufferPool()
        var buffer = Buffer()
        var (written, read) = (UInt8(0), UInt8(0))
        func append(_ count: Int) {
            let bytes = (0..<count).map { _ -> UInt8 in
                defer { written &+= 1 }
                return written
            }
            bytes.withUnsafeBytes { pool.append(&buffer, $0.baseAddress!, count, for: payer.pod) }
        }
        func consume(_ count: Int) -> Bool {
            let bytes = UnsafeRawBufferPointer(start: buffer.bytes, count: count)
            let isRight = bytes.allSatisfy { byte in
                defer { read &+= 1 }
                return byte == read
            }
            buffer.consume(count)
            return isRight
        }
        for size in [1, 511, 600, 4000, 30_000, 100_000] {
            append(size)
            #expect(payer.pod.pointee.bufferedBytes >= buffer.count)
            let isRight = consume(buffer.count / 2)
            #expect(isRight)
        }
        let isRight = consume(buffer.count)
        #expect(isRight && buffer.isEmpty)
        pool.releaseIfEmpty(&buffer, for: payer.pod)
        #expect(payer.pod.pointee.bufferedBytes == 0)
    }

    @Test("a slab gives places back that have been taken back, at addresses that do not change")
    func slab() {
        var slab = Slab<Int>()
        let places = (0..<200).map { _ in slab.take() }
        #expect(Set(places).count == 200)
        for (index, place) in places.enumerated() { place.initialize(to: index) }
        #expect(places.enumerated().allSatisfy { $0.element.pointee == $0.offset })
        for place in places { slab.giveBack(place) }
        let again = Set((0..<200).map { _ in slab.take() })
        #expect(again == Set(places))
    }
}
