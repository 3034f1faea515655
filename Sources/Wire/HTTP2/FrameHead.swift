// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// What a frame is for (RFC 9113 §6).
    package enum FrameType: UInt8, Sendable, BitwiseCopyable {
        case data = 0
        case headers, priority, resetStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
        /// A type that we do not know: legal, and skipped (§5.5).
        case unknown = 255
    }

    /// The nine bytes before every payload (RFC 9113 §4.1).
    package struct FrameHead: Hashable, Sendable, BitwiseCopyable {
        /// Bytes of payload.
        package let length: Int
        package let type: FrameType
        package let flags: UInt8
        /// 0 is the connection. The reserved bit is dropped, as §4.1 has it.
        package let stream: UInt32

        package init(length: Int, type: FrameType, flags: UInt8, stream: UInt32) {
            self.length = length
            self.type = type
            self.flags = flags
            self.stream = stream
        }

        /// The head at `at`; its nine bytes are there.
        init(_ bytes: Span<UInt8>, at: Int) {
            length = Int(bytes[at]) &<< 16 | Int(bytes[at &+ 1]) &<< 8 | Int(bytes[at &+ 2])
            type = FrameType(rawValue: bytes[at &+ 3]) ?? .unknown
            flags = bytes[at &+ 4]
            stream = bytes.word(at: at &+ 5) & HTTP2.lastStream
        }

        /// END_STREAM of DATA and HEADERS.
        package var endsStream: Bool { flags & 0x1 != 0 }
        /// ACK of SETTINGS and PING.
        package var isAck: Bool { flags & 0x1 != 0 }
        /// END_HEADERS of HEADERS, PUSH_PROMISE and CONTINUATION.
        package var endsHeaders: Bool { flags & 0x4 != 0 }
        /// PADDED of DATA, HEADERS and PUSH_PROMISE.
        package var isPadded: Bool { flags & 0x8 != 0 }
        /// PRIORITY of HEADERS.
        package var hasPriority: Bool { flags & 0x20 != 0 }
    }
}

extension Span where Element == UInt8 {
    /// Four bytes in network order.
    package func word(at index: Int) -> UInt32 {
        UInt32(self[index]) &<< 24 | UInt32(self[index &+ 1]) &<< 16 | UInt32(self[index &+ 2]) &<< 8
            | UInt32(self[index &+ 3])
    }
}
