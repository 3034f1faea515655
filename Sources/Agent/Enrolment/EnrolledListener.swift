// SPDX-License-Identifier: Apache-2.0

import Kernel
import Telemetry

/// A listener that the agent holds, so that a proxy's death refuses nobody: connections wait in its queue for the next
/// proxy. Closed with its last reference.
final class EnrolledListener: Sendable {
    let direction: Direction
    let descriptor: Descriptor

    /// Takes ownership of `number`.
    init(_ direction: Direction, adopting number: CInt) {
        self.direction = direction
        descriptor = Descriptor(adopting: number)
    }
}
