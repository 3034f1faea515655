// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import ProxyLink

typealias ConnectionRef = UnsafeMutablePointer<Connection>

/// One socket that the worker serves, either side. Lives in the worker's slab; nothing outside the worker points to it.
struct Connection: ~Copyable {
    enum Role: UInt8 {
        /// Someone connected to us.
        case downstream
        /// We connected to someone.
        case upstream
        case listener
        case mailbox
    }

    enum Phase: UInt8 {
        /// It has no descriptor yet: the agent is making one.
        case awaitingSocket
        case connecting
        case open
        /// Closed in this turn; its place is given back when the turn's events have all been looked at.
        case dead
    }

    let role: Role
    var phase: Phase
    /// The kernel may have bytes, or the end of the stream, for us. Edge-triggered: true until a read says otherwise.
    var isReadable = false
    var isWritable = false
    /// FIN or urgent data have been announced, so a short read is not the end of it.
    var readsStopShort = false
    /// The end of the stream has been read.
    var readEnded = false
    /// We have sent FIN, or writing has become impossible.
    var writeEnded = false
    /// A write failed: the peer takes nothing more, but what it sent may still be read.
    var isBroken = false
    /// What waits in ``input`` has been looked at and was not enough.
    var inputIsStale = false
    let isIPv6: Bool
    /// It is in its pod's ready queue.
    var isQueued = false
    /// Which use of its place this is; events carry it.
    var generation: UInt16 = 0
    /// Upstream: it has served a request before the current one.
    var isReused = false
    /// -1 until there is one.
    var descriptor: CInt
    /// The last error that the kernel gave for it.
    var errno: CInt = 0

    /// Read and not yet forwarded.
    var input = Buffer()
    /// To be written.
    var output = Buffer()
    var timer = TimerLinks()

    /// Whom it belongs to: `nil` for an upstream that waits in the pool, or is shared by streams.
    var session: SessionRef?
    /// What it carries when it speaks HTTP/2.
    var mux: MuxRef?
    /// Listener: its pod. Upstream: the pod that dialled it.
    var pod: PodRef?
    /// Which side of the pod the listener is on, or the downstream came in by.
    var isInbound = false

    /// Upstream: where it leads.
    var address = SocketAddress(.anyV4, 0)
    /// Upstream: the pod of this node that has the address; its socket is made in that namespace.
    var place: PodRef?
    /// Upstream: for whom it stands, the workload at the other end, and the service that was dialled.
    var client = SocketAddress(.anyV4, 0)
    var peer = StableID.none
    var service = StableID.none
    /// The next one in its pod's ready queue.
    var nextReady: ConnectionRef?
    /// Upstream: its neighbours in the idle pool, or among those that wait for a socket.
    var idlePrevious: ConnectionRef?
    var idleNext: ConnectionRef?

    /// Series that count its bytes as they are: read is read.
    var series: TCPSeriesRef?
    /// One hop between two pods: the destination's own two views of the same bytes.
    var inboundDestination: TCPSeriesRef?
    var inboundSource: TCPSeriesRef?

    init(_ role: Role, _ phase: Phase, descriptor: CInt, isIPv6: Bool = false) {
        self.role = role
        self.phase = phase
        self.descriptor = descriptor
        self.isIPv6 = isIPv6
    }
}

extension Connection {
    /// Upstream: it is being made.
    var isComing: Bool { phase == .awaitingSocket || phase == .connecting }

    mutating func count(read bytes: Int) {
        series?.pointee.delta.readBytes &+= UInt64(bytes)
        guard let inboundDestination else { return }
        inboundDestination.pointee.delta.readBytes &+= UInt64(bytes)
        inboundSource?.pointee.delta.writtenBytes &+= UInt64(bytes)
    }

    mutating func count(written bytes: Int) {
        series?.pointee.delta.writtenBytes &+= UInt64(bytes)
        guard let inboundDestination else { return }
        inboundDestination.pointee.delta.writtenBytes &+= UInt64(bytes)
        inboundSource?.pointee.delta.readBytes &+= UInt64(bytes)
    }
}
