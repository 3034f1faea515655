// SPDX-License-Identifier: Apache-2.0

import Kernel
import Synchronization

/// Where one thread leaves things for another: a mutex-protected array and an event that wakes the reader.
///
/// The only seam between a worker and the rest of the process. Any thread may put; one thread takes.
final class Mailbox<Letter: Sendable>: Sendable {
    private let letters = Mutex<[Letter]>([])
    private let event: EventDescriptor

    init() throws(SystemError) { event = try EventDescriptor() }

    /// The descriptor to watch for input.
    var descriptor: CInt { event.descriptor.rawValue }

    func put(_ letter: Letter) {
        let wasEmpty = letters.withLock { letters in
            letters.append(letter)
            return letters.count == 1
        }
        if wasEmpty { event.signal() }
    }

    /// Everything that has been put since the last call, in order.
    func takeAll() -> [Letter] {
        event.clear()
        return letters.withLock { letters in
            defer { letters = [] }
            return letters
        }
    }
}
