// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// How much the peer lets us send (RFC 9113 §6.9): of one stream, or of the connection. May be negative (§6.9.2).
    package struct SendWindow: Hashable, Sendable, BitwiseCopyable {
        /// Bytes that may be sent now.
        package private(set) var available: Int32

        package init(_ available: Int32) { self.available = available }

        /// The peer has sent WINDOW_UPDATE; false if that takes the window over 2^31-1, which is a FLOW_CONTROL_ERROR.
        package mutating func expand(by increment: UInt32) -> Bool {
            let sum = Int64(available) &+ Int64(increment)
            guard sum <= 0x7fff_ffff else { return false }
            available = Int32(sum)
            return true
        }

        /// The initial window of all streams has changed; false as above.
        package mutating func shift(by change: Int32) -> Bool {
            let (sum, hasOverflowed) = available.addingReportingOverflow(change)
            guard !hasOverflowed else { return false }
            available = sum
            return true
        }

        package mutating func spend(_ bytes: Int) { available &-= Int32(truncatingIfNeeded: bytes) }
    }

    /// How much we let the peer send. Credit is given back only for bytes that have gone on, so that a slow reader at the
    /// far end slows the sender and not our memory.
    package struct ReceiveWindow: Hashable, Sendable, BitwiseCopyable {
        /// Bytes that the peer may still send.
        package private(set) var available: Int32
        /// Bytes that have gone on and not been credited yet.
        private var owed: Int32 = 0

        package init(_ size: Int32) {
            available = size
        }

        /// A frame of so many bytes begins; false if the peer had no credit for it: FLOW_CONTROL_ERROR.
        package mutating func receive(_ bytes: Int) -> Bool {
            guard bytes <= Int(available) else { return false }
            available &-= Int32(truncatingIfNeeded: bytes)
            return true
        }

        /// So many bytes have gone on. Half of what the sender can count on is worth a WINDOW_UPDATE, so that it never waits
        /// for one and few are sent: half a window, or less while other bytes are held.
        /// - Returns: the increment to send, or 0.
        package mutating func forward(_ bytes: Int) -> UInt32 {
            owed &+= Int32(truncatingIfNeeded: bytes)
            guard owed >= available else { return 0 }
            let increment = owed
            available &+= increment
            owed = 0
            return UInt32(increment)
        }
    }
}
