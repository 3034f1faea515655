// SPDX-License-Identifier: Apache-2.0

package import Model
package import Telemetry

/// What one worker counted for one series since the last collection. Adding all deltas gives the totals.
package enum CounterDelta: Equatable, Sendable {
    case http(HTTPSeriesKey, HTTPSeriesDelta)
    case tcp(TCPSeriesKey, TCPSeriesDelta)
    case failure(pod: StableID, direction: Direction, reason: Failure.Reason, count: UInt64)
    /// Processor time that the worker spent for a pod, in nanoseconds.
    case processorTime(pod: StableID, nanoseconds: UInt64)
    /// Something about the worker itself.
    case worker(WorkerCounter, worker: UInt16, count: UInt64)
}

/// Whose requests an ``HTTPSeriesDelta`` counts.
package struct HTTPSeriesKey: Hashable, Sendable {
    package var pod: StableID
    package var direction: Direction
    /// The workload at the other end, ``StableID/none`` if the mesh does not know it.
    package var peer: StableID
    /// The service that was dialled, if one was.
    package var service: StableID
    package var security: TransportSecurity
    /// The authority as the request gave it, lower case, at most 255 bytes; empty if absent or over the series limit.
    package var authority: String

    package init(
        pod: StableID, direction: Direction, peer: StableID, service: StableID, security: TransportSecurity,
        authority: String
    ) {
        self.pod = pod
        self.direction = direction
        self.peer = peer
        self.service = service
        self.security = security
        self.authority = authority
    }
}

/// Requests and responses of one series.
package struct HTTPSeriesDelta: Equatable, Sendable {
    package var requests: UInt64 = 0
    /// By how much the number of requests that have begun and not ended has changed since the last collection on this
    /// link. Summed over all workers it is how many are open. A new link begins at zero: the first collection on it
    /// gives all that are open, so that an agent that has just started knows of streams that began long before it.
    package var liveChange: Int32 = 0
    package var responses: [Responses] = []
    /// Time from the request's head to the response's head, over all statuses: ``LatencyBins`` index and count.
    package var latency: [BinCount] = []
    /// Sum of what is in ``latency``, in microseconds.
    package var latencySumMicroseconds: UInt64 = 0
    /// Time inside the proxy, request and response together; bins are in units of 100 nanoseconds.
    package var overhead: [BinCount] = []
    package var overheadSumNanoseconds: UInt64 = 0

    package init() {}

    /// Responses with one status.
    package struct Responses: Equatable, Sendable {
        /// The ``grpcStatus`` of what is not gRPC.
        package static let noGRPCStatus: UInt8 = 255

        package var status: UInt16
        /// A code of ``GRPCStatus``, which any other code is folded into as `unknown`, or ``noGRPCStatus``.
        package var grpcStatus: UInt8
        /// Success or failure in Linkerd's sense: 5xx is failure, so is a response that broke off, and so is a call
        /// whose ``GRPCStatus/isFailure``.
        package var isSuccess: Bool
        package var count: UInt64
        package var latencySumMs: UInt64
        /// Counts per bucket of ``LatencyBins/linkerdBoundsMs`` and the one beyond (26), not cumulative: index and count.
        package var latencyMs: [BinCount]

        package init(
            status: UInt16, grpcStatus: UInt8 = noGRPCStatus, isSuccess: Bool, count: UInt64, latencySumMs: UInt64,
            latencyMs: [BinCount]
        ) {
            self.status = status
            self.grpcStatus = grpcStatus
            self.isSuccess = isSuccess
            self.count = count
            self.latencySumMs = latencySumMs
            self.latencyMs = latencyMs
        }
    }
}

/// One bin of a histogram that is sent sparsely.
package struct BinCount: Equatable, Sendable, BitwiseCopyable {
    package var bin: UInt16
    package var count: UInt32

    package init(bin: UInt16, count: UInt32) {
        self.bin = bin
        self.count = count
    }
}

/// Whose connections a ``TCPSeriesDelta`` counts.
package struct TCPSeriesKey: Hashable, Sendable {
    package var pod: StableID
    package var direction: Direction
    /// Linkerd's `peer` label: `src` is the side that connected to the proxy, `dst` the side that it connected to.
    package var side: Side
    package var peer: StableID
    package var service: StableID
    package var security: TransportSecurity

    package enum Side: UInt8, Sendable, CaseIterable {
        case source = 0
        case destination = 1

        /// The label's value.
        package var label: String { self == .source ? "src" : "dst" }
    }

    package init(
        pod: StableID, direction: Direction, side: Side, peer: StableID, service: StableID, security: TransportSecurity
    ) {
        self.pod = pod
        self.direction = direction
        self.side = side
        self.peer = peer
        self.service = service
        self.security = security
    }
}

/// Connections and bytes of one series.
package struct TCPSeriesDelta: Equatable, Sendable {
    package var opened: UInt64 = 0
    /// Ends of connections by errno; 0 is an orderly end.
    package var closed: [Closed] = []
    /// Bytes read from the peer.
    package var readBytes: UInt64 = 0
    /// Bytes written to the peer.
    package var writtenBytes: UInt64 = 0

    package init() {}

    package struct Closed: Equatable, Sendable {
        package var errno: Int32
        package var count: UInt64

        package init(errno: Int32, count: UInt64) {
            self.errno = errno
            self.count = count
        }
    }
}

/// What a worker counts about itself.
package enum WorkerCounter: UInt8, CaseIterable, Sendable {
    /// Turns of the event loop.
    case turns = 0
    /// Turns that spun before sleeping, and those in which spinning found work.
    case spins, spinHits
    /// Events that the kernel reported.
    case events
    /// Tap events left out: rate cap or full buffer.
    case tapDropped
    /// Accepts that failed because the process has no descriptor left.
    case acceptExhausted
    /// Connections handed to a less busy worker.
    case handedOver
    /// Requests sent again on a fresh connection after an idle one had been closed by its application.
    case retried
    /// Upstream connections taken from the pool, and made anew.
    case poolHits, poolMisses
    /// Authorities folded into the empty one because a pod had too many.
    case authorityOverflow
    /// The worker's thread's processor time in nanoseconds.
    case threadNanoseconds
    /// HTTP/2 streams that downstreams have begun, and those begun once more on another upstream connection.
    case streams, streamsRetried
    /// What an HTTP/2 peer was cut off for: streams begun only to be reset, header blocks without end, floods of
    /// SETTINGS and PING, floods of empty frames, header blocks that unpack to too much, windows that creep or overflow,
    /// streams beyond the limit.
    case rapidReset, continuationFlood, controlFlood, emptyFrameFlood, headerBomb, windowAbuse, tooManyStreams

    /// The label's value.
    package var label: String {
        switch self {
        case .turns: "turns"
        case .spins: "spins"
        case .spinHits: "spin_hits"
        case .events: "events"
        case .tapDropped: "tap_dropped"
        case .acceptExhausted: "accept_exhausted"
        case .handedOver: "handed_over"
        case .retried: "retried"
        case .poolHits: "pool_hits"
        case .poolMisses: "pool_misses"
        case .authorityOverflow: "authority_overflow"
        case .threadNanoseconds: "thread_nanoseconds"
        case .streams: "streams"
        case .streamsRetried: "streams_retried"
        case .rapidReset: "rapid_reset"
        case .continuationFlood: "continuation_flood"
        case .controlFlood: "control_flood"
        case .emptyFrameFlood: "empty_frame_flood"
        case .headerBomb: "header_bomb"
        case .windowAbuse: "window_abuse"
        case .tooManyStreams: "too_many_streams"
        }
    }
}
