// SPDX-License-Identifier: Apache-2.0

package import Model
import Synchronization

/// Which worker wants sockets of which pod.
package struct SocketNeed: Hashable, Sendable {
    package var pod: StableID
    package var ipv6: Bool
    package var worker: UInt16
}

/// Wants that have been read from the proxy and not been served.
///
/// A worker that asks again before it is served adds to its want, so the list is never longer than there are pods,
/// workers and families, and a want never greater than one message can carry.
final class SocketNeeds: Sendable {
    /// The most different wants: 1,024 pods, 32 workers, two families. What is beyond is asked for again by the proxy.
    static let maximum = 65_536

    private let wants = Mutex<[SocketNeed: Int]>([:])

    /// Notes a want; true if nobody is on the way to serve the list.
    func add(_ need: SocketNeed, _ count: Int) -> Bool {
        wants.withLock { wants in
            let wasEmpty = wants.isEmpty
            guard wants.count < SocketNeeds.maximum || wants[need] != nil else { return false }
            wants[need] = min((wants[need] ?? 0) + count, Reconciler.socketsPerMessage)
            return wasEmpty
        }
    }

    /// Takes the whole list.
    func take() -> [SocketNeed: Int] {
        wants.withLock { wants in
            defer { wants = [:] }
            return wants
        }
    }
}
