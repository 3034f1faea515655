// SPDX-License-Identifier: Apache-2.0

package import Addresses
package import Model
import ProxyLink
package import Telemetry

/// What a tap request asks for, in names; the proxy is told identities.
package struct TapSelector: Sendable, Equatable {
    package var namespace: String?
    package var pod: String?
    package var ownerKind: Workload.Owner.Kind?
    package var owner: String?
    package var direction: Direction?
    package var method: String?
    package var authority: String?
    package var pathPrefix: String?
    package var peer: Peer?
    package var maximumPerSecond: UInt32 = 100

    /// Who must be at the other end.
    package enum Peer: Sendable, Equatable {
        case address(IPAddress)
        /// A pod, or the owner of pods.
        case named(namespace: String, name: String)
    }

    /// The most requests or connections a second that a tap may ask for.
    package static let maximumRate: UInt32 = 10_000
    /// The most pods and peers that a tap can name: what fits into one message to the proxy.
    package static let maximumNames = 4_000

    /// Why a request is not answered.
    package struct Refusal: Error, Equatable {
        package var text: String
        /// Nothing is wrong with the request, but there is nothing of that name here.
        package var isNotFound = false
    }

    package init() {}

    /// Reads the query of `/api/v1/tap`.
    package init(query: [(name: String, value: String)]) throws(Refusal) {
        var seen: Set<String> = []
        for (name, value) in query {
            guard seen.insert(name).inserted else { throw Refusal(text: "parameter \(name) is given twice") }
            // An empty parameter is the same as none: it is how scripts leave one out.
            if value.isEmpty { continue }
            switch name {
            case "namespace": namespace = value
            case "pod": pod = value
            case "owner": owner = value
            case "method": method = value
            case "authority": authority = value.lowercased()
            case "path": pathPrefix = value
            case "ownerKind":
                let kinds = Workload.Owner.Kind.allCases
                ownerKind = kinds.first { $0 != .none && $0.rawValue.lowercased() == value.lowercased() }
                if ownerKind == nil { throw Refusal(text: "\(value) is not a kind of owner") }
            case "direction":
                direction = Direction.allCases.first { $0.label == value }
                if direction == nil { throw Refusal(text: "direction must be inbound or outbound, not \(value)") }
            case "peer": peer = try TapSelector.peer(value)
            case "maxRps":
                guard let rate = UInt32(value), (1...TapSelector.maximumRate).contains(rate) else {
                    throw Refusal(text: "maxRps must be a number from 1 to \(TapSelector.maximumRate)")
                }
                maximumPerSecond = rate
            default: throw Refusal(text: "unknown parameter \(name)")
            }
        }
        for text in [method, authority, pathPrefix] {
            guard (text ?? "").utf8.count <= TapEvent.maximumTextBytes else {
                throw Refusal(text: "a filter may have at most \(TapEvent.maximumTextBytes) bytes")
            }
        }
    }

    private static func peer(_ text: String) throws(Refusal) -> Peer {
        if let address = IPAddress(text) { return .address(address) }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw Refusal(text: "peer must be an address or NAMESPACE/NAME, not \(text)")
        }
        return .named(namespace: String(parts[0]), name: String(parts[1]))
    }

    /// The filter for the proxy; refuses if no pod of this node, or no peer, has the names that are wanted.
    func filter(id: UInt32, in directory: Directory) throws(Refusal) -> TapFilter {
        let pods = directory.localPods.filter(matches)
        guard !pods.isEmpty else {
            throw Refusal(text: "no enrolled pod of node \(directory.node) is asked for", isNotFound: true)
        }
        var peers: [Workload] = []
        switch peer {
        case nil: break
        case .address(let address): peers = directory.workload(at: address).map { [$0] } ?? []
        case .named(let namespace, let name):
            peers = directory.workloads { $0.namespace == namespace && ($0.name == name || $0.owner.name == name) }
        }
        if peer != nil, peers.isEmpty {
            throw Refusal(text: "nobody that the mesh knows is the peer that is asked for", isNotFound: true)
        }
        guard pods.count + peers.count <= TapSelector.maximumNames else {
            throw Refusal(text: "more than \(TapSelector.maximumNames) pods and peers; ask for fewer")
        }
        return TapFilter(
            id: id, pods: pods.map(\.id), direction: direction, method: method, authority: authority,
            pathPrefix: pathPrefix, peers: peers.map(\.id), maximumPerSecond: maximumPerSecond)
    }

    private func matches(_ workload: Workload) -> Bool {
        (namespace == nil || workload.namespace == namespace) && (pod == nil || workload.name == pod)
            && (ownerKind == nil || workload.owner.kind == ownerKind) && (owner == nil || workload.owner.name == owner)
    }
}
