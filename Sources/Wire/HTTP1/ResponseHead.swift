// SPDX-License-Identifier: Apache-2.0

/// A response head: what it makes of the connection. Its fields are in the table it was parsed into.
package struct ResponseHead: Hashable, Sendable, BitwiseCopyable {
    /// 100...999.
    package let status: UInt16
    /// 0 or 1.
    package let minorVersion: UInt8
    /// What `Connection` asked for.
    package let connection: ConnectionOptions
    /// Whether what follows is no longer HTTP: 101, or success for CONNECT.
    package let switchesProtocol: Bool
    /// How long the head is. The body begins here.
    package let byteCount: Int
    /// How the body ends; ``BodyFraming/none`` for an interim response and when the protocol changes.
    package let framing: BodyFraming

    /// Whether another response to the same request follows: 1xx, but not 101.
    package var isInterim: Bool { status < 200 && status != 101 }

    /// Whether another exchange may follow on the connection.
    package var isPersistent: Bool {
        framing != .untilClose && !switchesProtocol && connection.isPersistent(minorVersion: minorVersion)
    }
}
