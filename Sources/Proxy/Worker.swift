// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Kernel
import Model
import ProxyLink
import Synchronization
import Telemetry
import Wire

/// What other threads may touch of a worker.
final class WorkerHandle: Sendable {
    let index: Int
    let mailbox: Mailbox<Command>
    /// Sessions it has, for choosing who keeps an accepted connection.
    let load = Atomic<Int>(0)

    init(index: Int) throws(SystemError) {
        self.index = index
        mailbox = try Mailbox()
    }
}

/// How a worker behaves.
struct WorkerOptions: Sendable {
    var spins = true
    /// The upper half of ids: names this worker in the cluster.
    var tapBase: UInt32 = 0
}

/// One thread's event loop and everything that it serves.
///
/// Thread: its own; nothing here is shared but mailboxes and atomics. Invariants: a session is served by one worker for
/// all its life; what dies in a turn keeps its place until the turn's events have all been looked at, so a stale event
/// finds a dead connection and not a stranger; memory is charged to the pod whose listener accepted.
struct Worker: ~Copyable {
    let handle: WorkerHandle
    let others: [WorkerHandle]
    let outbox: Mailbox<Report>
    let options: WorkerOptions

    let poller: Poller
    /// When the turn's events were reported, in nanoseconds.
    var turnStart: UInt64
    /// The latest clock reading, in nanoseconds.
    var now: UInt64
    /// The clock has been read since the current serve began.
    var clockIsFresh = false
    var timers: TimerWheel
    var buffers = BufferPool()
    let scratch: UnsafeMutableRawPointer
    var fields: FieldTable

    var connections: Slab<Connection>
    var sessions = Slab<Session>()
    var sessionCount = 0
    var grave: [ConnectionRef] = []
    var sessionGrave: [SessionRef] = []
    var idle = IdlePool()
    var muxes = Slab<Mux>()
    var streams = Slab<Stream>()
    var muxGrave: [MuxRef] = []
    var streamGrave: [StreamRef] = []
    var muxPool = MuxPool()
    /// HTTP/2 connections with bytes to be written at the end of the turn.
    var firstUnflushed: MuxRef?
    /// Streams that were begun in the current serve: what it takes is theirs.
    var begun: [StreamRef] = []
    /// The header block being read, and one that is rebuilt for sending it later or again.
    var block = FieldBlock()
    var rebuilt = FieldBlock()
    var pipes: [Pipe] = []

    var configuration: Configuration?
    var pods: [StableID: PodRef] = [:]
    var targets: [Target.Key: TargetRef] = [:]
    /// Pods that have left and are freed when nothing points to them any more.
    var withdrawn: [PodRef] = []
    var seed: UInt64

    /// The ring of pods with ready sessions.
    var firstActive: PodRef?
    var lastActive: PodRef?
    /// Bytes moved in the current serve.
    var moved = 0
    /// The head of the request that is being begun, for failures that come before it has been sent.
    var beginning: Chunk?
    /// Tells one use of a connection's place from the next: stale events carry the number of an earlier one.
    var generation: UInt16 = 0

    var series = SeriesTable()
    var counters = InlineArray<32, UInt64>(repeating: 0)
    var taps: [CompiledTap] = []
    var tapBuffer = MessageWriter()
    var nextStream: UInt64 = 0
    var threadTimeReported: UInt64 = 0
    var spareDescriptor: CInt
    var spinner = Spinner()
    var isDraining = false
    var drainDeadline = UInt64.max
    var isFinished = false

    init(
        _ handle: WorkerHandle, others: [WorkerHandle], outbox: Mailbox<Report>, options: WorkerOptions
    ) throws(SystemError) {
        let poller = try Poller()
        var connections = Slab<Connection>()
        let mailbox = connections.take()
        mailbox.initialize(to: Connection(.mailbox, .open, descriptor: handle.mailbox.descriptor))
        try poller.addInput(handle.mailbox.descriptor, token: UInt64(UInt(bitPattern: mailbox)))
        self.poller = poller
        self.connections = connections
        self.handle = handle
        self.others = others
        self.outbox = outbox
        self.options = options
        now = MonotonicClock.now()
        turnStart = now
        timers = TimerWheel(now: now)
        scratch = .allocate(byteCount: Limits.readBytes, alignment: 4096)
        fields = FieldTable()
        seed = now ^ (UInt64(handle.index) << 56)
        spareDescriptor = dup(handle.mailbox.descriptor)
    }

    deinit { scratch.deallocate() }

    mutating func count(_ counter: WorkerCounter, _ amount: UInt64 = 1) {
        counters[Int(counter.rawValue)] &+= amount
    }

    /// Reads the clock; every stage until the next reading sees this time.
    @discardableResult
    mutating func readClock() -> UInt64 {
        now = MonotonicClock.now()
        clockIsFresh = true
        return now
    }
}
