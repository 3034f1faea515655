// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import Wire

typealias MuxRef = UnsafeMutablePointer<Mux>

/// One HTTP/2 connection, either side: many streams over one socket.
struct Mux: ~Copyable {
    let connection: ConnectionRef
    /// ``HTTP2/Role/server`` towards the downstream, ``HTTP2/Role/client`` towards an upstream.
    let role: HTTP2.Role
    /// Downstream: its session. Upstream: the session that has it for itself; `nil` if its pod's streams share it.
    let owner: SessionRef?

    var reader: HTTP2.FrameReader
    var decoder = HPACKDecoder()
    var encoder = HPACKEncoder()
    var peer = HTTP2.PeerSettings()
    var streams = StreamTable()
    var sendWindow = HTTP2.SendWindow(65_535)
    var receiveWindow = HTTP2.ReceiveWindow(HTTP2.connectionWindow)

    /// The highest stream that the peer has begun.
    var lastPeerStream: UInt32 = 0
    /// The next stream that we begin.
    var nextStream: UInt32 = 1

    /// A header block that comes in several frames, and what its first one said.
    var fragments = Buffer()
    var fragmentsStream: UInt32 = 0
    var fragmentsEndStream = false
    /// Since when the frame whose first bytes wait has not come whole.
    var partialSince: UInt64 = 0

    /// Streams with something to send, in the order in which they get their turn.
    var firstPending: StreamRef?
    var lastPending: StreamRef?
    /// Streams that wait until they may begin here.
    var firstWaiting: StreamRef?
    var lastWaiting: StreamRef?
    var waiting = 0

    /// No stream may begin here any more: GOAWAY was received, or the end is near.
    var isRetired = false
    /// GOAWAY has been sent; beyond this stream nothing is served.
    var lastServed = HTTP2.lastStream
    var hasSaidGoodbye = false
    /// It is over: what still comes is not looked at.
    var isClosed = false

    /// Upstream: when its last stream ended.
    var idleSince: UInt64 = 0
    var isUnflushed = false
    var nextUnflushed: MuxRef?
    /// Upstream: the next one in the pool's bucket.
    var nextInPool: MuxRef?
    var isPooled = false

    /// What a peer may do that costs it less than us.
    var controlBudget = Limits.controlFrames
    /// Window updates and frames for streams that we have reset that are the answers to what we sent: they cost nothing.
    var expectedUpdates = Limits.expectedUpdates
    var expectedStrays = 0
    var resetBudget = Limits.resets
    /// The last streams that we reset: frames may still be on their way.
    var recentlyReset = InlineArray<32, UInt32>(repeating: 0)
    var recentlyResetNext = 0

    init(_ connection: ConnectionRef, _ role: HTTP2.Role, owner: SessionRef?) {
        self.connection = connection
        self.role = role
        self.owner = owner
        reader = HTTP2.FrameReader(role)
    }

    /// Whether a stream of ours may begin now.
    var hasRoom: Bool {
        !isRetired && UInt32(streams.count) < peer.concurrentStreams && nextStream < HTTP2.lastStream
    }

    mutating func noteReset(_ stream: UInt32) {
        recentlyReset[recentlyResetNext & 31] = stream
        recentlyResetNext &+= 1
    }

    func wasReset(_ stream: UInt32) -> Bool {
        for index in 0..<32 where recentlyReset[index] == stream { return true }
        return false
    }
}
