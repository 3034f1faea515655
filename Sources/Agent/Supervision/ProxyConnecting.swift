// SPDX-License-Identifier: Apache-2.0

package import ProxyLink

/// A proxy that can be told something.
package protocol ProxyConnecting: AnyObject, Sendable {
    /// How many workers it has, from its `hello`.
    var workers: UInt16 { get }

    /// Sends a message. Descriptors stay the caller's. A message that cannot be sent ends the connection, which shows to
    /// its reader: nobody has to look at every send.
    func send(_ message: AgentMessage, descriptors: [CInt])
}

extension ProxyConnecting {
    /// Sends a message without descriptors.
    package func send(_ message: AgentMessage) { send(message, descriptors: []) }
}
