// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Glibc
import Synchronization

/// TERM, INT and HUP, instead of the end of the process. Each of several sees every signal from its own making on.
package struct StopSignals: Sendable {
    private let stream: AsyncStream<Int32>

    package init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        self.stream = stream
        StopSignals.center.add(continuation)
    }

    /// Waits for the first one; `nil` if the task is cancelled.
    package func first() async -> Int32? {
        for await number in stream { return number }
        return nil
    }

    private static let center = Center()

    /// One source for each signal in the whole process: making a second one would take the signal from the first, since
    /// `SIG_IGN` replaces the handler that Dispatch has put there.
    private final class Center: @unchecked Sendable {
        private let listeners = Mutex<[AsyncStream<Int32>.Continuation]>([])
        private var sources: [any DispatchSourceSignal] = []

        init() {
            for number in [SIGTERM, SIGINT, SIGHUP] {
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { [unowned self] in
                    listeners.withLock { for listener in $0 { listener.yield(number) } }
                }
                source.resume()
                sources.append(source)
            }
        }

        func add(_ listener: AsyncStream<Int32>.Continuation) {
            listeners.withLock { $0.append(listener) }
        }
    }
}
