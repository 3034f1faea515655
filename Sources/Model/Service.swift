// SPDX-License-Identifier: Apache-2.0

package import Addresses

/// A Kubernetes service: virtual addresses and what stands behind each port.
package struct Service: Hashable, Sendable {
    package var namespace: String
    package var name: String
    /// Virtual addresses; empty for a headless service.
    package var addresses: [IPAddress]
    package var ports: [Port]

    package init(namespace: String, name: String, addresses: [IPAddress], ports: [Port]) {
        self.namespace = namespace
        self.name = name
        self.addresses = addresses
        self.ports = ports
    }

    /// The identity used between processes.
    package var id: StableID { StableID(of: "\(namespace)/\(name)") }

    /// One port of a service.
    package struct Port: Hashable, Sendable {
        package var name: String
        package var port: UInt16
        /// Relay its bytes without looking at them.
        package var opaque: Bool
        package var endpoints: [Endpoint]

        package init(name: String = "", port: UInt16, opaque: Bool = false, endpoints: [Endpoint]) {
            self.name = name
            self.port = port
            self.opaque = opaque
            self.endpoints = endpoints
        }
    }
}

/// One place that answers for a service port.
package struct Endpoint: Hashable, Sendable {
    package var address: SocketAddress
    /// Whether new connections and requests may be sent there.
    package var ready: Bool

    package init(_ address: SocketAddress, ready: Bool = true) {
        self.address = address
        self.ready = ready
    }
}
