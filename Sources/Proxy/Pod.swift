// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import Synchronization
import Telemetry

typealias PodRef = UnsafeMutablePointer<Pod>

/// What all workers know of one pod together.
final class PodShared: Sendable {
    /// Open connections over all workers, both directions.
    let connections = Atomic<Int>(0)
}

/// One pod of this node as one worker sees it: its listeners, sockets, sessions, share of the turn and bill.
struct Pod: ~Copyable {
    /// The most bytes that may wait in one worker for one pod: enough for a thousand stalled bulk transfers, small enough
    /// that one pod cannot take the node's memory.
    static let bufferLimit = 64 << 20
    /// The most authorities that get series of their own for one pod: hosts are the peers' to choose.
    static let authorityLimit = 100

    let id: StableID
    let shared: PodShared
    var settings: LocalPod
    var isWithdrawn = false

    /// Unused sockets of its namespace, by family, and how many have been asked for.
    var stock = SocketStock()
    var stockV6 = SocketStock()
    /// Upstream connections that wait for a socket, oldest first.
    var firstWaiting: ConnectionRef?
    var lastWaiting: ConnectionRef?
    var waiting = 0
    /// Open streams of its HTTP/2 downstreams.
    var streams = 0

    var listeners: (outbound: ConnectionRef?, inbound: ConnectionRef?) = (nil, nil)
    var slot: UInt32 = 0
    var firstSession: SessionRef?

    /// Connections with something to do, in the order in which it came up: downstreams stand for their sessions.
    var firstReady: ConnectionRef?
    var lastReady: ConnectionRef?
    var nextActive: PodRef?
    var isActive = false
    /// Nanoseconds that it may still use in this round; negative when it overdrew.
    var credit: Int64 = 0

    /// Memory in buffers of its sessions, in bytes.
    var bufferedBytes = 0
    /// Nanoseconds of the worker since the last collection.
    var processorTime: UInt64 = 0
    var authorities = 0
    /// Failures since the last collection: by direction, then by reason.
    let failures: UnsafeMutablePointer<UInt64>

    init(id: StableID, shared: PodShared, settings: LocalPod) {
        self.id = id
        self.shared = shared
        self.settings = settings
        failures = .allocate(capacity: 2 * Failure.Reason.allCases.count)
        failures.initialize(repeating: 0, count: 2 * Failure.Reason.allCases.count)
    }

    deinit { failures.deallocate() }

    /// Whether more bytes may be read for it.
    var mayBuffer: Bool { bufferedBytes < Pod.bufferLimit }

    mutating func count(_ reason: Failure.Reason, _ direction: Direction) {
        failures[Int(direction.rawValue) * Failure.Reason.allCases.count + reason.index] += 1
    }
}

/// Sockets that the agent made in a pod's namespace, waiting to be connected.
struct SocketStock {
    /// How many are asked for at once: at first, and at most (one message carries 253). A connect must not wait for the
    /// agent in the usual case, and an idle socket costs the kernel about 2 KiB; so the number grows only when connects
    /// have had to wait.
    static let batches = (first: 16, largest: 128)

    private(set) var batch = SocketStock.batches.first
    private var sockets: [CInt] = []
    /// Asked for and not yet here.
    private(set) var requested = 0

    var count: Int { sockets.count }

    /// When the last request was made, in nanoseconds.
    private var askedAt: UInt64 = 0

    /// Whether more should be asked for. A request that has not been answered for a while is lost: the agent that had it
    /// was killed, or did not know the pod yet.
    func isLow(now: UInt64) -> Bool {
        sockets.count < batch / 2 && (requested == 0 || now > askedAt + Limits.socketRequestLost)
    }

    mutating func take() -> CInt? {
        if sockets.isEmpty { batch = min(batch * 2, SocketStock.batches.largest) }
        return sockets.popLast()
    }
    mutating func put(_ socket: CInt) {
        sockets.append(socket)
        if requested > 0 { requested -= 1 }
    }
    /// Notes that a batch has been asked for.
    mutating func ask(now: UInt64) -> UInt16 {
        requested = batch
        askedAt = now
        return UInt16(batch)
    }
    /// The agent that was asked is gone: ask the next one.
    mutating func forgetRequests() { requested = 0 }
    mutating func drain(_ close: (CInt) -> Void) {
        for socket in sockets { close(socket) }
        sockets.removeAll()
    }
}

extension Failure.Reason {
    /// Its place among all cases.
    var index: Int { Failure.Reason.indices[rawValue] ?? 0 }
    private static let indices = Dictionary(
        uniqueKeysWithValues: Failure.Reason.allCases.enumerated().map { ($1.rawValue, $0) })
}
