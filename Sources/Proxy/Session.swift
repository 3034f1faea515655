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
        /// Many requests at a time: ``Connection/mux`` of the downstream has them.
        case http2
        case opaque
        /// The last response is being delivered; then FIN, then the downstream's FIN.
        case closing
        case dead
    }

    var mode = Mode.detecting
    let direction: Direction
    let isOpaque: Bool
    var isDenied: Bool

    let down: ConnectionRef
    var up: ConnectionRef?
    /// Bytes thrown away while it was closing.
    var discarded = 0
    /// HTTP/2 connections to upstreams that it has for itself.
    var ownedMuxes = 0
    /// The pod whose listener accepted: it pays for everything.
    let pod: PodRef
    let target: TargetRef
    /// The downstream's own address.
    let client: SocketAddress
    /// Where the downstream wanted to go.
    let original: SocketAddress
    let opened: UInt64

    /// The request under way in HTTP/1, or the connection itself when it is opaque.
    var exchange = Exchange()
    var request = RequestState()
    var response = ResponseState()
    var splices: (SpliceState, SpliceState) = (SpliceState(), SpliceState())
    var readBytes: UInt64 = 0
    var writtenBytes: UInt64 = 0

    /// The pod's list of its sessions.
    var previousInPod: SessionRef?
    var nextInPod: SessionRef?

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
    var remaining: UInt64 = 0
    var chunks = ChunkedDecoder()
    /// Interim responses before it.
    var interim = 0
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
