// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// Writes frames (RFC 9113 §6) into memory that the caller has made room in. Each call returns the bytes written.
    @unsafe package enum FrameWriter {
        /// Bytes of the largest frame without a payload of the caller's: a GOAWAY.
        package static var largestControlFrame: Int { HTTP2.frameHeadBytes + 8 }

        /// A frame's head.
        @inline(__always)
        package static func head(
            _ output: UnsafeMutableRawPointer, length: Int, _ type: FrameType, flags: UInt8, stream: UInt32
        ) -> Int {
            // Length and type are one word, flags and stream come unaligned after it.
            unsafe output.storeBytes(
                of: (UInt32(truncatingIfNeeded: length) &<< 8 | UInt32(type.rawValue)).bigEndian, as: UInt32.self)
            unsafe output.storeBytes(of: flags, toByteOffset: 4, as: UInt8.self)
            unsafe output.storeBytes(of: stream.bigEndian, toByteOffset: 5, as: UInt32.self)
            return HTTP2.frameHeadBytes
        }

        /// SETTINGS (§6.5); at most ten of them.
        package static func settings(_ output: UnsafeMutableRawPointer, _ list: Span<Setting>) -> Int {
            var at = unsafe head(output, length: list.count &* 6, .settings, flags: 0, stream: 0)
            for index in 0..<list.count {
                unsafe output.storeBytes(of: list[index].id.bigEndian, toByteOffset: at, as: UInt16.self)
                unsafe output.storeBytes(of: list[index].value.bigEndian, toByteOffset: at &+ 2, as: UInt32.self)
                at &+= 6
            }
            return at
        }

        /// The acknowledgement of SETTINGS (§6.5.3).
        package static func settingsAck(_ output: UnsafeMutableRawPointer) -> Int {
            unsafe head(output, length: 0, .settings, flags: 1, stream: 0)
        }

        /// PING, or the answer to one (§6.7); `opaque` is eight bytes as they came.
        package static func ping(_ output: UnsafeMutableRawPointer, opaque: UInt64, isAck: Bool) -> Int {
            let at = unsafe head(output, length: 8, .ping, flags: isAck ? 1 : 0, stream: 0)
            unsafe output.storeBytes(of: opaque, toByteOffset: at, as: UInt64.self)
            return at &+ 8
        }

        /// WINDOW_UPDATE (§6.9).
        package static func windowUpdate(_ output: UnsafeMutableRawPointer, stream: UInt32, _ increment: UInt32) -> Int
        {
            unsafe word(output, .windowUpdate, stream: stream, increment)
        }

        /// RST_STREAM (§6.4).
        package static func resetStream(_ output: UnsafeMutableRawPointer, stream: UInt32, _ code: ErrorCode) -> Int {
            unsafe word(output, .resetStream, stream: stream, code.rawValue)
        }

        /// GOAWAY without debug data (§6.8).
        package static func goAway(_ output: UnsafeMutableRawPointer, last: UInt32, _ code: ErrorCode) -> Int {
            let at = unsafe head(output, length: 8, .goAway, flags: 0, stream: 0)
            unsafe output.storeBytes(of: last.bigEndian, toByteOffset: at, as: UInt32.self)
            unsafe output.storeBytes(of: code.rawValue.bigEndian, toByteOffset: at &+ 4, as: UInt32.self)
            return at &+ 8
        }

        private static func word(
            _ output: UnsafeMutableRawPointer, _ type: FrameType, stream: UInt32, _ value: UInt32
        ) -> Int {
            let at = unsafe head(output, length: 4, type, flags: 0, stream: stream)
            unsafe output.storeBytes(of: value.bigEndian, toByteOffset: at, as: UInt32.self)
            return at &+ 4
        }
    }
}
