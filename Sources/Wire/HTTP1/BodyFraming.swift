// SPDX-License-Identifier: Apache-2.0

/// How the end of a message's body is found (RFC 9112 §6.3).
package enum BodyFraming: Hashable, Sendable, BitwiseCopyable {
    /// No byte follows the head. `Content-Length: 0` is this.
    case none
    /// Exactly so many bytes follow; at least one.
    case length(UInt64)
    /// Follow it with a ``ChunkedDecoder``.
    case chunked
    /// A response that ends when the connection does.
    case untilClose
}

/// What the `Connection` fields asked for. Options that are not ours are not kept.
package struct ConnectionOptions: OptionSet, Hashable, Sendable, BitwiseCopyable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// No message after this one.
    package static let close = ConnectionOptions(rawValue: 1)
    /// The HTTP/1.0 way to ask for another message.
    package static let keepAlive = ConnectionOptions(rawValue: 2)
    /// The `Upgrade` field is meant for the next hop.
    package static let upgrade = ConnectionOptions(rawValue: 4)

    /// Whether another message may follow on the connection (RFC 9112 §9.3).
    func isPersistent(minorVersion: UInt8) -> Bool {
        if contains(.close) { return false }
        return minorVersion >= 1 || contains(.keepAlive)
    }
}
