// SPDX-License-Identifier: Apache-2.0

import Addresses

/// Upstream connections that wait for the next request, by the pod that dialled them and where they lead: never shared
/// between pods, because to the application they come from that pod.
struct IdlePool: ~Copyable {
    private static let bucketCount = 1024

    private let buckets: UnsafeMutablePointer<ConnectionRef?>

    init() {
        buckets = .allocate(capacity: IdlePool.bucketCount)
        buckets.initialize(repeating: nil, count: IdlePool.bucketCount)
    }

    deinit { buckets.deallocate() }

    /// The connection that came last: its application is the least likely to have closed it.
    mutating func take(pod: PodRef, address: SocketAddress) -> ConnectionRef? {
        var next = buckets[bucket(pod, address)]
        while let connection = next {
            if connection.pointee.pod == pod && connection.pointee.address == address {
                remove(connection)
                return connection
            }
            next = connection.pointee.idleNext
        }
        return nil
    }

    mutating func put(_ connection: ConnectionRef) {
        guard let pod = connection.pointee.pod else { return }
        let index = bucket(pod, connection.pointee.address)
        connection.pointee.idlePrevious = nil
        connection.pointee.idleNext = buckets[index]
        buckets[index]?.pointee.idlePrevious = connection
        buckets[index] = connection
    }

    mutating func remove(_ connection: ConnectionRef) {
        guard let pod = connection.pointee.pod else { return }
        let (previous, next) = (connection.pointee.idlePrevious, connection.pointee.idleNext)
        if let previous {
            previous.pointee.idleNext = next
        } else {
            buckets[bucket(pod, connection.pointee.address)] = next
        }
        next?.pointee.idlePrevious = previous
        connection.pointee.idlePrevious = nil
        connection.pointee.idleNext = nil
    }

    /// Some connection that `matches`, taken out; call until `nil`. Linear: for the death of a pod.
    mutating func takeFirst(where matches: (ConnectionRef) -> Bool) -> ConnectionRef? {
        for index in 0..<IdlePool.bucketCount {
            var next = buckets[index]
            while let connection = next {
                if matches(connection) {
                    remove(connection)
                    return connection
                }
                next = connection.pointee.idleNext
            }
        }
        return nil
    }

    private func bucket(_ pod: PodRef, _ address: SocketAddress) -> Int {
        IdlePool.bucket(pod, address, of: IdlePool.bucketCount)
    }

    /// Where connections of a pod to an address are, among `count` buckets.
    static func bucket(_ pod: PodRef, _ address: SocketAddress, of count: Int) -> Int {
        var value =
            UInt64(UInt(bitPattern: pod)) ^ address.ip.low ^ (address.ip.high &* 31) ^ (UInt64(address.port) << 48)
        value = (value ^ (value >> 29)) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: (value >> 40) % UInt64(count))
    }
}
