// SPDX-License-Identifier: Apache-2.0

/// A request head: where its parts lie, and what it makes of the connection.
///
/// Offsets, not copies: good until the first ``byteCount`` bytes of the buffer are consumed.
package struct RequestHead: Hashable, Sendable, BitwiseCopyable {
    /// The method, if it is one that matters here.
    package let method: Method
    /// The method as written.
    package let methodRange: ByteRange
    /// The target as written.
    package let target: ByteRange
    /// Path and query: `*` for `OPTIONS *`, empty for CONNECT, possibly empty for an absolute target.
    package let path: ByteRange
    /// Host and port it is for: of the target if that names them, else of the Host field. May be empty.
    package let authority: ByteRange
    /// Which form the target has.
    package let targetForm: TargetForm
    /// 0 or 1.
    package let minorVersion: UInt8
    /// What `Connection` asked for.
    package let connection: ConnectionOptions
    /// Whether the peer waits for 100 before it sends the body. Never in HTTP/1.0.
    package let expectsContinue: Bool
    /// Whether it asks to speak another protocol: an Upgrade field and `Connection: upgrade`, and not in HTTP/1.0.
    package let hasUpgrade: Bool
    /// How long the head is, with the empty lines forgiven before it. The body begins here.
    package let byteCount: Int
    /// How the body ends. Never ``BodyFraming/untilClose``.
    package let framing: BodyFraming

    /// Whether another request may follow on the connection.
    package var isPersistent: Bool { connection.isPersistent(minorVersion: minorVersion) }
}
