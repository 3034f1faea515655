// SPDX-License-Identifier: Apache-2.0

package import Addresses
package import Model

/// What a node's data plane knows about destinations: built once for each desired state, then only read.
///
/// Immutable and shared between threads. Look-ups are per connection, not per request.
package struct RouteTable: Sendable {
    /// Who a peer is.
    package struct Peer: Hashable, Sendable, BitwiseCopyable {
        package let id: StableID
        /// Whether it is a pod of this node that is in the mesh: then the proxy may connect inside its namespace.
        package let isLocal: Bool
    }

    /// Where connections to one address go.
    package struct Route: Sendable {
        package let service: StableID
        /// Relay its bytes without looking at them.
        package let isOpaque: Bool
        package let endpoints: [Endpoint]
    }

    private let routes: [SocketAddress: Route]
    private let peers: [IPAddress: Peer]
    private let virtualAddresses: Set<IPAddress>
    private let meshedRanges: [IPPrefix]

    /// Works out the table. Pods win over other workloads with the same address; a service's first port of a number wins.
    package init(_ state: NodeState) {
        var routes: [SocketAddress: Route] = [:]
        var virtualAddresses: Set<IPAddress> = []
        for service in state.services {
            for address in service.addresses {
                virtualAddresses.insert(address)
                for port in service.ports where routes[SocketAddress(address, port.port)] == nil {
                    routes[SocketAddress(address, port.port)] = Route(
                        service: service.id, isOpaque: port.opaque, endpoints: port.endpoints)
                }
            }
        }
        var peers: [IPAddress: Peer] = [:]
        for workload in state.workloads {
            for address in workload.addresses { peers[address] = Peer(id: workload.id, isLocal: false) }
        }
        for pod in state.pods {
            for address in pod.workload.addresses { peers[address] = Peer(id: pod.workload.id, isLocal: true) }
        }
        self.routes = routes
        self.peers = peers
        self.virtualAddresses = virtualAddresses
        meshedRanges = state.meshedRanges
    }

    /// The service port behind a virtual address.
    package func route(to destination: SocketAddress) -> Route? { routes[destination] }

    /// Whether `ip` is some service's: a port of it that no service has leads nowhere.
    package func isVirtual(_ ip: IPAddress) -> Bool { virtualAddresses.contains(ip) }

    /// Who has an address.
    package func peer(at ip: IPAddress) -> Peer? { peers[ip] }

    /// Whether an address lies in the ranges that the mesh captures.
    package func isMeshed(_ ip: IPAddress) -> Bool { meshedRanges.contains { $0.contains(ip) } }
}
