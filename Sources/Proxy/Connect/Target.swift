// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import Routing
import Telemetry

typealias TargetRef = UnsafeMutablePointer<Target>

/// A destination as a downstream names it, and the endpoints that answer for it.
///
/// One per worker and destination, shared by all sessions to it, so that what one request learns of an endpoint serves
/// the next.
struct Target: ~Copyable {
    /// What names a target.
    struct Key: Hashable {
        let address: SocketAddress
        /// The pod whose own port it is, for an inbound destination.
        let inboundPod: StableID
    }

    /// An endpoint seen from this worker; its index is the balancer's.
    struct Place: BitwiseCopyable {
        var address: SocketAddress
        /// The pod of this node that has the address: connect inside its namespace.
        var pod: PodRef?
        var peer: StableID
    }

    let key: Key
    var service = StableID.none
    var isOpaque = false
    /// One endpoint by its own address: the downstream chose it, and ends together with it.
    var isPinned = true
    /// No service has this port of a virtual address.
    var leadsNowhere = false
    var balancer: Balancer
    var places: [Place] = []
    var sessions = 0
    /// When the last session left.
    var unusedSince: UInt64 = 0

    init(key: Key, seed: UInt64) {
        self.key = key
        balancer = Balancer(seed: seed)
    }

    /// Brings endpoints up to date with a configuration.
    mutating func update(_ table: RouteTable, pods: [StableID: PodRef]) {
        if key.inboundPod == .none, let route = table.route(to: key.address) {
            service = route.service
            isOpaque = route.isOpaque
            isPinned = false
            leadsNowhere = false
            balancer.update(route.endpoints)
        } else {
            service = .none
            isOpaque = false
            isPinned = true
            leadsNowhere = key.inboundPod == .none && table.isVirtual(key.address.ip)
            balancer.update(leadsNowhere ? [] : [Endpoint(key.address)])
        }
        places = (0..<balancer.count).map { index in
            let address = balancer.address(index)
            let peer = table.peer(at: address.ip)
            let local = peer.flatMap { $0.isLocal ? pods[$0.id] : nil }
            return Place(address: address, pod: local, peer: peer?.id ?? .none)
        }
    }
}
