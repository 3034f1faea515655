// SPDX-License-Identifier: Apache-2.0

/// HTTP/2 (RFC 9113), frame by frame: what the bytes of a connection say and whether they may be said.
///
/// No I/O and no memory of its own: frames in, decisions out. Every limit that RFC 9113 leaves to the endpoint is here.
package enum HTTP2 {
    /// Which end of the connection we are.
    package enum Role: UInt8, Sendable, BitwiseCopyable {
        /// The peer makes requests.
        case server
        /// We make requests.
        case client
    }

    /// What a client sends first (§3.4).
    package static var preface: StaticString { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" }
    /// Bytes of ``preface``.
    package static var prefaceBytes: Int { 24 }
    /// Bytes of a frame's head (§4.1).
    package static var frameHeadBytes: Int { 9 }
    /// The largest payload that we take: the default, so that no frame has to be held whole for long (§4.2).
    package static var maximumFrameBytes: Int { 16_384 }
    /// The window of a stream, in bytes, both at first and as we announce it (§6.9.2): what one stalled stream may hold.
    package static var streamWindow: Int32 { 65_535 }
    /// The window of a connection, in bytes: what all stalled streams of one connection may hold together, under 1 MiB.
    package static var connectionWindow: Int32 { 786_432 }
    /// How many streams a peer may have open on one connection. Browsers and gRPC clients stay below 100 unless told.
    package static var concurrentStreams: UInt32 { 256 }
    /// How many streams we open before the peer has said how many it takes: its SETTINGS are on their way, and what it
    /// would refuse is better not sent.
    package static var presumedStreams: UInt32 { 1 }
    /// The largest header list, in bytes as §6.5.2 counts them.
    package static var maximumHeaderListBytes: Int { 65_536 }
    /// The largest encoded block, in bytes: twice the largest list, so that whoever overdoes it by less is answered 431 and
    /// keeps its connection, which needs the block to be decoded (§4.3).
    package static var maximumBlockBytes: Int { 131_072 }
    /// The most CONTINUATION frames of one block: enough for the largest one in frames of 1 KiB.
    package static var maximumContinuations: Int { 64 }
    /// The last stream identifier (§5.1.1).
    package static var lastStream: UInt32 { 0x7fff_ffff }
}
