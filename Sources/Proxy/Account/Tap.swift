// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import ProxyLink
import Synchronization
import Telemetry

/// A tap's filter as bytes, shared by the workers, with the rate that they share.
final class CompiledTap: Sendable {
    let id: UInt32
    let pods: Set<StableID>
    let peers: Set<StableID>
    let direction: Direction?
    let method: [UInt8]
    let authority: [UInt8]
    let pathPrefix: [UInt8]
    private let maximumPerSecond: UInt64
    /// The current second in the upper half, how many have been taken in it in the lower.
    private let window = Atomic<UInt64>(0)
    let dropped = Atomic<UInt64>(0)

    init(_ filter: TapFilter) {
        id = filter.id
        pods = Set(filter.pods)
        peers = Set(filter.peers)
        direction = filter.direction
        method = Array((filter.method ?? "").utf8)
        authority = Array((filter.authority ?? "").utf8)
        pathPrefix = Array((filter.pathPrefix ?? "").utf8)
        maximumPerSecond = UInt64(filter.maximumPerSecond)
    }

    /// Whether the view of `pod` on a connection with `peer` is wanted.
    func wants(pod: StableID, peer: StableID, direction: Direction) -> Bool {
        pods.contains(pod) && (self.direction == nil || self.direction == direction)
            && (peers.isEmpty || peers.contains(peer))
    }

    /// Whether the filter asks for something that only HTTP has.
    var isHTTPOnly: Bool { !method.isEmpty || !authority.isEmpty || !pathPrefix.isEmpty }

    /// Takes one of this second's places; false, and counted, if there is none.
    func take(now: UInt64) -> Bool {
        let second = (now / 1_000_000_000) & 0xffff_ffff
        while true {
            let current = window.load(ordering: .relaxed)
            let used = current >> 32 == second ? current & 0xffff_ffff : 0
            guard used < maximumPerSecond else {
                dropped.add(1, ordering: .relaxed)
                return false
            }
            let (done, _) = window.compareExchange(
                expected: current, desired: second << 32 | (used + 1), ordering: .relaxed)
            if done { return true }
        }
    }
}

/// Which of the worker's taps want a request or connection: a bit each, for the two views of one hop.
struct TapMarks: BitwiseCopyable {
    /// The view of the pod whose listener accepted.
    var own: UInt16 = 0
    /// The view of the pod at the other end of one hop.
    var other: UInt16 = 0
    var stream: UInt64 = 0
    /// Who and where the other end is: kept, because at the end of a session that failed there is no upstream to ask.
    var otherPod = StableID.none
    var peer = StableID.none
    var destination = SocketAddress(.anyV4, 0)

    var isMarked: Bool { own | other != 0 }
}
