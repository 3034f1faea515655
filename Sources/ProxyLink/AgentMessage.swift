// SPDX-License-Identifier: Apache-2.0

package import Model
package import Telemetry

/// Limits and version of the link between agent and proxy.
package enum ProxyLink {
    /// Raised with every change of a message: two builds that differ in it do not talk, the agent starts its own proxy.
    package static let version: UInt32 = 2
    /// The largest message, in bytes: under the kernel's default for one datagram on a Unix socket (208 KiB buffer).
    package static let maximumMessageBytes = 65_536
    /// The name of the proxy's listening socket in the agent's run directory.
    package static let socketName = "proxy.sock"
}

/// What the agent tells the proxy. A descriptor that a message carries is noted with the case.
package enum AgentMessage: Equatable, Sendable {
    /// The desired state: one sealed memory file with an encoded ``NodeState``. Replaces the state before it.
    case configuration(version: UInt64)
    /// A listener of a pod: one descriptor. A second one for the same pod and direction replaces the first.
    case listener(pod: StableID, slot: UInt32, direction: Direction)
    /// Unconnected sockets of a pod's namespace, for one worker: 1 to 253 descriptors.
    case sockets(pod: StableID, ipv6: Bool, worker: UInt16)
    /// Forget a pod: close its listeners, unused sockets and connections.
    case withdraw(pod: StableID)
    /// Start a tap, or replace the filter of a running one with the same id.
    case tapStart(TapFilter)
    case tapStop(id: UInt32)
    /// Send the counters' deltas, then ``ProxyMessage/collected(sequence:)``.
    case collect(sequence: UInt64)
    /// Send every listener back, for an agent that has just started.
    case returnListeners
    /// Accept nothing more, let requests finish, exit at the deadline.
    case drain(seconds: UInt32)
}

/// What a tap wants to see; every field that is set must match.
package struct TapFilter: Equatable, Sendable {
    package var id: UInt32
    /// The pods whose view is wanted; the agent resolves names to them.
    package var pods: [StableID]
    package var direction: Direction?
    package var method: String?
    package var authority: String?
    package var pathPrefix: String?
    /// If not empty: peers that are wanted, by workload.
    package var peers: [StableID]
    /// At most so many requests or connections a second, over all workers of this proxy.
    package var maximumPerSecond: UInt32

    package init(
        id: UInt32, pods: [StableID], direction: Direction? = nil, method: String? = nil, authority: String? = nil,
        pathPrefix: String? = nil, peers: [StableID] = [], maximumPerSecond: UInt32 = 100
    ) {
        self.id = id
        self.pods = pods
        self.direction = direction
        self.method = method
        self.authority = authority
        self.pathPrefix = pathPrefix
        self.peers = peers
        self.maximumPerSecond = maximumPerSecond
    }
}

extension AgentMessage {
    private enum Kind: UInt8 {
        case configuration = 1
        case listener, sockets, withdraw, tapStart, tapStop, collect, returnListeners, drain
    }

    /// The message's bytes; at most ``ProxyLink/maximumMessageBytes`` unless a tap names thousands of pods.
    package func encoded() -> [UInt8] {
        var writer = MessageWriter()
        switch self {
        case .configuration(let version):
            writer.write(Kind.configuration.rawValue)
            writer.write(version)
        case .listener(let pod, let slot, let direction):
            writer.write(Kind.listener.rawValue)
            writer.write(pod)
            writer.write(slot)
            writer.write(direction.rawValue)
        case .sockets(let pod, let ipv6, let worker):
            writer.write(Kind.sockets.rawValue)
            writer.write(pod)
            writer.write(ipv6)
            writer.write(worker)
        case .withdraw(let pod):
            writer.write(Kind.withdraw.rawValue)
            writer.write(pod)
        case .tapStart(let filter):
            writer.write(Kind.tapStart.rawValue)
            filter.encode(into: &writer)
        case .tapStop(let id):
            writer.write(Kind.tapStop.rawValue)
            writer.write(id)
        case .collect(let sequence):
            writer.write(Kind.collect.rawValue)
            writer.write(sequence)
        case .returnListeners:
            writer.write(Kind.returnListeners.rawValue)
        case .drain(let seconds):
            writer.write(Kind.drain.rawValue)
            writer.write(seconds)
        }
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MalformedMessage) {
        var reader = MessageReader(bytes)
        switch try reader.readCase(Kind.self) {
        case .configuration: self = .configuration(version: try reader.read())
        case .listener:
            let pod = try reader.readID()
            let slot: UInt32 = try reader.read()
            self = .listener(pod: pod, slot: slot, direction: try reader.readCase())
        case .sockets:
            let pod = try reader.readID()
            let ipv6 = try reader.readBool()
            self = .sockets(pod: pod, ipv6: ipv6, worker: try reader.read())
        case .withdraw: self = .withdraw(pod: try reader.readID())
        case .tapStart: self = .tapStart(try TapFilter(decoding: &reader))
        case .tapStop: self = .tapStop(id: try reader.read())
        case .collect: self = .collect(sequence: try reader.read())
        case .returnListeners: self = .returnListeners
        case .drain: self = .drain(seconds: try reader.read())
        }
        try reader.requireEnd()
    }
}

extension TapFilter {
    func encode(into writer: inout MessageWriter) {
        writer.write(id)
        writer.write(UInt32(pods.count))
        for pod in pods { writer.write(pod) }
        writer.write(direction.map { $0.rawValue + 1 } ?? 0)
        writer.write(method ?? "")
        writer.write(authority ?? "")
        writer.write(pathPrefix ?? "")
        writer.write(UInt32(peers.count))
        for peer in peers { writer.write(peer) }
        writer.write(maximumPerSecond)
    }

    init(decoding reader: inout MessageReader) throws(MalformedMessage) {
        id = try reader.read()
        pods = []
        for _ in 0..<(try reader.readCount(elementSize: 8)) { pods.append(try reader.readID()) }
        let side: UInt8 = try reader.read()
        direction = side == 0 ? nil : Direction(rawValue: side - 1)
        let texts = (try reader.readText(), try reader.readText(), try reader.readText())
        method = texts.0.isEmpty ? nil : texts.0
        authority = texts.1.isEmpty ? nil : texts.1
        pathPrefix = texts.2.isEmpty ? nil : texts.2
        peers = []
        for _ in 0..<(try reader.readCount(elementSize: 8)) { peers.append(try reader.readID()) }
        maximumPerSecond = try reader.read()
    }
}
