// SPDX-License-Identifier: Apache-2.0

import Wire

/// Times and sizes of the byte path, in one place.
enum Limits {
    /// One read, and the worker's read buffer, in bytes: large enough that a bulk transfer costs few calls.
    static let readBytes = 65_536
    /// How long a silent downstream is waited for before its upstream is dialled, in nanoseconds.
    static let detectWait: UInt64 = 10_000_000
    /// How long bytes that may still become HTTP are held, in nanoseconds: longer than any network splits a request line,
    /// short enough for a person whose protocol merely looks like one.
    static let detectAmbiguous: UInt64 = 1_000_000_000
    /// How long a connect may take, in nanoseconds: Linkerd's outbound default.
    static let connectTimeout: UInt64 = 1_000_000_000
    /// How long a connection waits for the agent to make a socket, in nanoseconds: time for a killed agent to come back.
    static let socketWait: UInt64 = 10_000_000_000
    /// After so long a request for sockets is made again, in nanoseconds.
    static let socketRequestLost: UInt64 = 500_000_000
    /// How many endpoints are tried for one request or connection.
    static let connectAttempts: UInt8 = 3
    /// How long a request head may take once its first byte is there, in nanoseconds: slow senders hold memory.
    static let headTimeout: UInt64 = 30_000_000_000
    /// How long an upstream waits in the pool, in nanoseconds: under the usual keep-alive of applications (60-75 s).
    static let idleUpstream: UInt64 = 30_000_000_000
    /// How long a downstream may take to end after its last response, in nanoseconds.
    static let closing: UInt64 = 2_000_000_000
    /// How many bytes of a downstream that floods us are still read, so that it can read why it has to go.
    static let closingFlood = 262_144
    /// How long a destination that nobody uses is remembered, in nanoseconds: what was learnt of its endpoints stays useful
    /// for a while.
    static let idleTarget: UInt64 = 60_000_000_000
    /// The largest request that is kept for sending it again, in bytes.
    static let keptRequestBytes = 16_384
    /// How many bytes one serve of a session moves before others get their turn.
    static let bytesPerServe = 262_144
    /// How much time a pod may use in one round of a turn, in nanoseconds.
    static let quantum: Int64 = 200_000
    /// After so much time a turn looks for new events even if sessions are still ready, in nanoseconds.
    static let turn: UInt64 = 2_000_000
    /// How many connections are taken from one listener at a time.
    static let acceptsPerEvent = 32
    /// How many messages with tap events wait for the link before events are dropped.
    static let tapBatchBytes = 32_768
    /// The longest spin before sleeping, in nanoseconds: about what waking an idle processor costs.
    static let spin: UInt64 = 60_000
    /// A spin is tried only while waits are shorter than this on average, in nanoseconds.
    static let spinWorthwhile: UInt64 = 100_000
    /// A spin is tried only while a turn finds fewer events than this on average, in 256ths: two busy connections.
    static let spinEvents: UInt64 = 400
    /// The most of its time that a worker spins, in parts of 256: an eighth.
    static let spinShare: UInt64 = 32
    /// Full reads in a row after which an opaque transfer is bulk and gets a pipe.
    static let readsBeforeSplice: UInt8 = 2
    /// Bytes that a pipe may hold.
    static let pipeBytes = 1 << 18
    /// Pipes that a worker keeps for reuse.
    static let keptPipes = 32
    /// Interim responses (1xx) before one final response.
    static let interimResponses = 16
    /// A worker gives an accepted connection away when it has so many more than the least busy one.
    static let handOverDifference = 4

    // MARK: HTTP/2

    /// Bytes that one connection has waiting to be written before no more bodies are framed for it: one full read.
    static let muxOutput = 65_536
    /// Bytes waiting to be written at which a peer that only makes us answer is cut off.
    static let muxOutputFlood = 196_608
    /// Bytes of records that one side of a stream may have waiting: a window, a head and trailers at their limits.
    static let backlogBytes = 253_952
    /// How many HTTP/2 connections one pod has to one endpoint, per worker: 16 hold 1,600 streams by the usual limit of 100.
    static let muxesPerEndpoint = 16
    /// How many streams wait for one connection that is being made, before another one is: what most servers take.
    static let streamsPerDial = 100
    /// How many streams one pod may have open in one worker: at about a kibibyte each, less than its buffers may take.
    static let streamsPerPod = 50_000
    /// How long a request waits for a place on a busy upstream, in nanoseconds: as for a socket.
    static let streamWait: UInt64 = 10_000_000_000
    /// PING, SETTINGS, PRIORITY, unknown and empty frames, and tiny window updates: more a second is no use to anybody.
    static let controlFrames = HTTP2.Budget(capacity: 2_000, perSecond: 500)
    /// Streams that the peer begins and resets, and others that end in an error of its own: a client that gives up 100
    /// requests a second for ever, or 1,000 at once, is still served.
    static let resets = HTTP2.Budget(capacity: 1_000, perSecond: 100)
    /// A window update below this many bytes counts as a control frame unless it answers DATA of ours, each of which may
    /// be answered by two of them; so many may come late.
    static let tinyWindowUpdate: UInt32 = 256
    static let expectedUpdates = 1_000
    /// How many frames may still come for a stream that we have reset: a window of them in frames of 1 KiB.
    static let expectedStrays = 64
}
