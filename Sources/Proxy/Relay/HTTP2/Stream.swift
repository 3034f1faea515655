// SPDX-License-Identifier: Apache-2.0

import Wire

typealias StreamRef = UnsafeMutablePointer<Stream>
typealias StreamSideRef = UnsafeMutablePointer<StreamSide>

/// One request in HTTP/2 and its response: a stream of the downstream's connection, joined to one of an upstream's.
///
/// It begins with the request's head and ends when the downstream's side has ended both ways or was reset.
struct Stream: ~Copyable {
    let session: SessionRef
    var exchange = Exchange()
    var down: StreamSide
    /// Without a connection while the stream waits for one.
    var up = StreamSide()

    let method: Method
    let isGRPC: Bool
    /// Extended CONNECT (RFC 8441): only for an upstream that has said that it knows it.
    let needsConnectProtocol: Bool
    /// Interim responses so far.
    var interim: UInt8 = 0
    var isDead = false
    /// The upstream has answered in full and does not want the rest of the request (RFC 9113 §8.1).
    var resetsWhenSent = false

    /// The request as ``Record``s, for sending it later or again: its head, and its body as far as ``keepsBody``.
    var kept = Buffer()
    /// ``kept`` has all of the body that has come.
    var keepsBody = true
    /// ``kept`` ends with trailers.
    var hasTrailers = false
    /// Where in ``kept`` its DATA record begins; -1 without one.
    var keptData = -1
    /// Bytes of the body that have gone to the upstream, and those of them that the downstream has been credited for: when a
    /// request is sent again the first number begins anew.
    var forwarded = 0
    var credited = 0

    /// The connection for which it waits, and its neighbours there.
    var awaited: MuxRef?
    var previousWaiting: StreamRef?
    var nextWaiting: StreamRef?

    init(session: SessionRef, id: UInt32, mux: MuxRef, request: HTTP2.RequestFields) {
        self.session = session
        down = StreamSide(mux: mux, id: id)
        down.expected = request.contentLength
        method = request.method
        isGRPC = request.isGRPC
        needsConnectProtocol = !request.protocol.isEmpty
    }
}

/// One side of a stream: what came from that peer, and what goes to it.
struct StreamSide: BitwiseCopyable {
    /// The connection; `nil` before there is one and after the side has ended.
    var mux: MuxRef?
    var id: UInt32 = 0

    // MARK: From the peer

    var receiveWindow = HTTP2.ReceiveWindow(HTTP2.streamWindow)
    /// Bytes that came and for which it has no credit again.
    var held = 0
    /// Bytes of body still to come by its content length; -1 if that is not known.
    var expected: Int64 = -1
    /// END_STREAM has come.
    var receivedEnd = false
    /// The message's head has come (upstream: the final one).
    var receivedHead = false

    // MARK: To the peer

    var sendWindow = HTTP2.SendWindow(0)
    /// What could not be sent yet, as ``Record``s.
    var backlog = Buffer()
    /// Where in ``backlog`` the last record begins, if it is DATA; else -1.
    var lastData = -1
    /// END_STREAM has been sent.
    var sentEnd = false

    /// It is in its connection's list of streams with something to send.
    var isPending = false
    var previousPending: StreamRef?
    var nextPending: StreamRef?

    init() {}

    init(mux: MuxRef, id: UInt32) {
        self.mux = mux
        self.id = id
        sendWindow = HTTP2.SendWindow(mux.pointee.peer.initialWindow)
    }
}

extension UnsafeMutablePointer where Pointee == Stream {
    // Streams never move, so what points into one stays good as long as the stream.

    var exchange: ExchangeRef { withUnsafeMutablePointer(to: &pointee.exchange) { $0 } }
    var down: StreamSideRef { withUnsafeMutablePointer(to: &pointee.down) { $0 } }
    var up: StreamSideRef { withUnsafeMutablePointer(to: &pointee.up) { $0 } }

    /// The side that a connection of ours of that role has.
    @inline(__always)
    func side(_ role: HTTP2.Role) -> StreamSideRef { role == .server ? down : up }
    /// The side opposite to it.
    @inline(__always)
    func opposite(_ role: HTTP2.Role) -> StreamSideRef { role == .server ? up : down }
}
