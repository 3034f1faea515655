// SPDX-License-Identifier: Apache-2.0

import Addresses
import Wire

/// HTTP/2 connections to upstreams, by the pod that dialled them and where they lead: shared by that pod's streams and never
/// by two pods, because to the application they come from that pod.
struct MuxPool: ~Copyable {
    private static let bucketCount = 1024

    private let buckets: UnsafeMutablePointer<MuxRef?>

    init() {
        buckets = .allocate(capacity: MuxPool.bucketCount)
        buckets.initialize(repeating: nil, count: MuxPool.bucketCount)
    }

    deinit { buckets.deallocate() }

    /// What there is for a stream.
    struct Choice {
        /// A connection on which a stream may begin now.
        var ready: MuxRef?
        /// The one for which the fewest streams wait.
        var leastWaiting: MuxRef?
        /// How many there are.
        var count = 0
        /// One of them takes no streams at all for now: more connections would not change that.
        var isHeldOff = false
    }

    /// Looks at the connections of a pod, or of one session of it, to an address.
    func choose(pod: PodRef, address: SocketAddress, owner: SessionRef?) -> Choice {
        var choice = Choice()
        var next = buckets[bucket(pod, address)]
        while let mux = next {
            next = mux.pointee.nextInPool
            let connection = mux.pointee.connection
            guard connection.pointee.pod == pod, connection.pointee.address == address, mux.pointee.owner == owner,
                !mux.pointee.isRetired
            else { continue }
            choice.count += 1
            if mux.pointee.peer.concurrentStreams == 0 { choice.isHeldOff = true }
            // One whose peer has said FIN is not asked any more.
            if connection.pointee.phase == .open && mux.pointee.hasRoom && mux.pointee.waiting == 0
                && !connection.pointee.readsStopShort && !connection.pointee.isBroken
            {
                choice.ready = mux
                return choice
            }
            if choice.leastWaiting.map({ $0.pointee.waiting > mux.pointee.waiting }) ?? true {
                choice.leastWaiting = mux
            }
        }
        return choice
    }

    mutating func put(_ mux: MuxRef) {
        guard let pod = mux.pointee.connection.pointee.pod else { return }
        let index = bucket(pod, mux.pointee.connection.pointee.address)
        mux.pointee.nextInPool = buckets[index]
        mux.pointee.isPooled = true
        buckets[index] = mux
    }

    mutating func remove(_ mux: MuxRef) {
        guard mux.pointee.isPooled, let pod = mux.pointee.connection.pointee.pod else { return }
        let index = bucket(pod, mux.pointee.connection.pointee.address)
        mux.pointee.isPooled = false
        var previous: MuxRef?
        var next = buckets[index]
        while let found = next, found != mux {
            previous = found
            next = found.pointee.nextInPool
        }
        if let previous {
            previous.pointee.nextInPool = mux.pointee.nextInPool
        } else {
            buckets[index] = mux.pointee.nextInPool
        }
        mux.pointee.nextInPool = nil
    }

    /// Some connection that a session has for itself, taken out; call until `nil`.
    mutating func takeFirst(owner session: SessionRef) -> MuxRef? {
        guard session.pointee.ownedMuxes > 0 else { return nil }
        return takeFirst { $0.pointee.owner == session }
    }

    /// Some connection that `matches`, taken out; call until `nil`. Linear: for the death of a pod and for draining.
    mutating func takeFirst(where matches: (MuxRef) -> Bool) -> MuxRef? {
        for index in 0..<MuxPool.bucketCount {
            var next = buckets[index]
            while let mux = next {
                if matches(mux) {
                    remove(mux)
                    return mux
                }
                next = mux.pointee.nextInPool
            }
        }
        return nil
    }

    private func bucket(_ pod: PodRef, _ address: SocketAddress) -> Int {
        IdlePool.bucket(pod, address, of: MuxPool.bucketCount)
    }
}
