// SPDX-License-Identifier: Apache-2.0

package import Addresses
import CApusABI

/// What the kernel measured of one connection of an enrolled pod, told when it ends.
///
/// A captured connection is told by our ends of it (``Tag/Kind/listener`` towards the downstream, ``Tag/Kind/broker``
/// towards the upstream) and not again by the application's; a connection that was not captured by the application's own.
package struct ConnectionStatistics: Hashable, Sendable {
    package let slot: UInt32
    package let direction: CaptureDirection
    /// `nil`: the application's own socket.
    package let kind: Tag.Kind?
    /// The measured socket's own end and the other.
    package let local: SocketAddress
    package let remote: SocketAddress
    /// Smoothed round trip time in microseconds.
    package let smoothedRoundTripMicroseconds: UInt32
    /// The least round trip time of the last minutes, in microseconds.
    package let minimumRoundTripMicroseconds: UInt32
    package let retransmits: UInt32
    /// Payload that the other end confirmed. The kernel counts SYN and FIN as one byte each.
    package let bytesAcked: UInt64
    /// Payload that came in order; a FIN counts as one byte.
    package let bytesReceived: UInt64
    package let segmentsOut: UInt32
    package let segmentsIn: UInt32
}

extension ConnectionStatistics {
    init(_ record: apus_connection) {
        self.init(
            slot: record.slot, direction: CaptureDirection(rawValue: UInt32(record.direction)) ?? .inbound,
            kind: Tag.Kind(rawValue: UInt32(record.kind)),
            local: SocketAddress(record.local.address, record.local_port),
            remote: SocketAddress(record.remote.address, record.remote_port),
            smoothedRoundTripMicroseconds: record.smoothed_rtt_us,
            minimumRoundTripMicroseconds: record.minimum_rtt_us, retransmits: record.retransmits,
            bytesAcked: record.bytes_acked, bytesReceived: record.bytes_received, segmentsOut: record.segments_out,
            segmentsIn: record.segments_in)
    }
}
