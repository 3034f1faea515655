// SPDX-License-Identifier: Apache-2.0

package import Addresses
package import Model
package import Telemetry

/// What the agent needs of the kernel: pods' connections brought to listeners, and sockets made inside pods.
///
/// ``KernelInterception`` does it with eBPF; tests do it with nothing. Used from one thread.
package protocol Interception: AnyObject {
    /// Destinations that are captured.
    func setMeshedRanges(_ ranges: [IPPrefix]) throws
    /// Captures a pod's connections. Enrolling it again brings changed options into effect and keeps its listeners.
    func enrol(_ pod: LocalPod) throws -> EnrolledPod
    /// Leaves nothing of the pod behind.
    func withdraw(_ pod: LocalPod) throws
    /// Unconnected, tagged sockets of the pod's namespace, which the caller closes.
    func makeSockets(_ pod: LocalPod, ipv6: Bool, count: Int) throws -> [CInt]
    /// Leaves nothing behind of any pod, those of an earlier agent included, whose uid is not in `uids`.
    func withdrawAll(except uids: Set<String>) throws
    /// Takes back listeners that an agent before this one made, before the first pod is enrolled; returns how many were
    /// ours. The descriptors stay the caller's.
    func adopt(listeners: [CInt]) throws -> Int
    /// The kernel programs' decisions since they were loaded, by reason.
    func decisions() throws -> [(reason: String, count: UInt64)]
    /// Connections that ended since the last call.
    func endedConnections() throws -> [EndedConnection]
    /// Lets go; what is in the kernel stays only if `leaveInPlace`.
    func close(leaveInPlace: Bool) throws
}

/// A pod whose connections are captured.
package struct EnrolledPod: Sendable {
    /// Its index in the kernel's tables.
    package var slot: UInt32
    /// Listening descriptors, the receiver's to close.
    package var listeners: [(direction: Direction, descriptor: CInt)]
    /// Whether the pod's namespace has IPv6.
    package var hasIPv6: Bool

    package init(slot: UInt32, listeners: [(direction: Direction, descriptor: CInt)], hasIPv6: Bool) {
        self.slot = slot
        self.listeners = listeners
        self.hasIPv6 = hasIPv6
    }
}

/// What the kernel measured of one connection of a pod.
package struct EndedConnection: Sendable, Equatable {
    package var slot: UInt32
    package var direction: Direction
    /// Smoothed; 0 if it never was measured.
    package var roundTripMicroseconds: UInt64
    package var retransmits: UInt64

    package init(slot: UInt32, direction: Direction, roundTripMicroseconds: UInt64, retransmits: UInt64) {
        self.slot = slot
        self.direction = direction
        self.roundTripMicroseconds = roundTripMicroseconds
        self.retransmits = retransmits
    }
}
