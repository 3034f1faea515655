// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import Telemetry
import Wire

typealias SessionRef = UnsafeMutablePointer<Session>

/// A downstream connection, the upstream it is joined to at the moment, and what is going on between them.
///
/// Served as one unit: an event on either side queues the session, and serving it moves whatever can be moved.
struct Session: ~Copyable {
    enum Mode: UInt8 {
        /// Waiting for the downstream's first bytes, no upstream yet.
        case detecting
        /// The downstream is silent: dialled or connected, and whoever speaks first decides.
        case undecided
        case http
        case opaque
        /// The last response is being delivered; then FIN, then the downstream's FIN.
        case closing
        case dead
    }

    var mode = Mode.detecting
    let direction: Direction
    let isOpaque: Bool
    var isDenied: Bool
    /// Whether it holds a `pending` of its target's balancer at ``candidate``.
    var holdsCandidate = false
    var isQueued = false
    /// How many endpoints have failed for the current request.
    var attempts: UInt8 = 0
    /// Candidates that failed for the current request, a bit each.
    var avoiding: UInt64 = 0
    var candidate = 0

    let down: ConnectionRef
    var up: ConnectionRef?
    /// The pod whose listener accepted: it pays for everything.
    let pod: PodRef
    let target: TargetRef
    /// The downstream's own address.
    let client: SocketAddress
    /// Where the downstream wanted to go.
    let original: SocketAddress
    let opened: UInt64

    var request = RequestState()
    var response = ResponseState()
    var exchange = Exchange()
    var splices: (SpliceState, SpliceState) = (SpliceState(), SpliceState())
    /// Taps that want this connection or request: a bit per tap for the source's view and the destination's.
    var tap = TapMarks()
    var readBytes: UInt64 = 0
    var writtenBytes: UInt64 = 0
    /// Why it ended badly, if it did.
    var failure: Failure.Reason?

    /// The pod's list of its sessions.
    var previousInPod: SessionRef?
    var nextInPod: SessionRef?
    /// The pod's ready queue.
    var nextReady: SessionRef?
    /// The pod whose namespace the awaited socket is of, and the neighbours in that pod's queue.
    var awaitedNamespace: PodRef?
    var previousWaiting: SessionRef?
    var nextWaiting: SessionRef?

    var isWaitingForSocket: Bool { awaitedNamespace != nil }

    init(
        down: ConnectionRef, pod: PodRef, target: TargetRef, direction: Direction, isOpaque: Bool, isDenied: Bool,
        client: SocketAddress, original: SocketAddress, now: UInt64
    ) {
        self.down = down
        self.pod = pod
        self.target = target
        self.direction = direction
        self.isOpaque = isOpaque
        self.isDenied = isDenied
        self.client = client
        self.original = original
        opened = now
    }
}

/// Where the current request of a session stands.
struct RequestState: BitwiseCopyable {
    enum Phase: UInt8 {
        /// The head has not been read whole.
        case head
        /// The head is known and waits, in the downstream's input, for an upstream.
        case waiting
        case body
        case done
    }

    var phase = Phase.head
    var method = Method.get
    var framing = BodyFraming.none
    var isPersistent = true
    var isIdempotent = false
    var headBytes = 0
    /// Where in the head the authority is: a request is counted when it is known where it goes.
    var authority = ByteRange.empty
    /// Body bytes still to come, for a body of known length.
    var remaining: UInt64 = 0
    var chunks = ChunkedDecoder()
    /// A copy of a whole request that was sent on a reused connection: sent again if that had just been closed.
    var kept = Buffer()
}

/// Where the response to it stands.
struct ResponseState: BitwiseCopyable {
    enum Phase: UInt8 {
        case idle
        case head
        case body
    }

    var phase = Phase.idle
    var framing = BodyFraming.none
    var isPersistent = true
    /// Bytes of the final response have gone to the downstream.
    var hasBegun = false
    var status: UInt16 = 0
    var remaining: UInt64 = 0
    var chunks = ChunkedDecoder()
    /// Interim responses before it.
    var interim = 0
    /// Body bytes so far.
    var bodyBytes: UInt64 = 0
}

/// Times and counters of the request that is under way.
struct Exchange: BitwiseCopyable {
    /// Nanoseconds of the monotonic clock.
    var started: UInt64 = 0
    var responded: UInt64 = 0
    /// Nanoseconds inside the proxy so far.
    var overhead: UInt64 = 0
    var isActive = false
    var series: HTTPSeriesRef?
    var inboundSeries: HTTPSeriesRef?
}

/// A pipe between the two sides of an opaque session, held while a bulk transfer lasts.
struct SpliceState: BitwiseCopyable {
    var reader: CInt = -1
    var writer: CInt = -1
    /// Bytes in the pipe.
    var held = 0
    /// Reads in a row that filled the whole buffer.
    var fullReads: UInt8 = 0

    var isActive: Bool { reader >= 0 }
}
