// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import ProxyLink
import Routing
import Telemetry

/// What the link tells a worker.
enum Command: Sendable {
    case configuration(Configuration)
    /// A listener of a pod; the worker owns the number.
    case listener(pod: StableID, slot: UInt32, direction: Direction, descriptor: CInt)
    /// Unconnected sockets of a pod's namespace; the worker owns the numbers.
    case sockets(pod: StableID, ipv6: Bool, [CInt])
    /// The agent that was asked for sockets is gone.
    case forgetSocketRequests
    case withdraw(StableID)
    case tapStart(CompiledTap)
    case tapStop(id: UInt32)
    case collect(sequence: UInt64)
    /// A connection that another worker accepted and does not want to keep.
    case adopt(descriptor: CInt, pod: StableID, direction: Direction, client: SocketAddress)
    case drain(deadline: UInt64)
}

/// What a worker tells the link.
enum Report: Sendable {
    case needSockets(pod: StableID, ipv6: Bool, worker: UInt16, count: UInt16)
    /// An encoded message, ready to send.
    case message([UInt8])
    case collected(sequence: UInt64)
    case applied(version: UInt64)
    case drained
}

/// One desired state, worked out for the workers. Immutable.
final class Configuration: Sendable {
    let version: UInt64
    let state: NodeState
    let table: RouteTable
    let shared: [StableID: PodShared]

    /// Pods keep what `previous` shares between workers.
    init(version: UInt64, state: NodeState, previous: Configuration?) {
        self.version = version
        self.state = state
        table = RouteTable(state)
        var shared: [StableID: PodShared] = [:]
        for pod in state.pods { shared[pod.workload.id] = previous?.shared[pod.workload.id] ?? PodShared() }
        self.shared = shared
    }
}
