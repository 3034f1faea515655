// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import Synchronization

/// An actor's executor that is one thread of its own.
///
/// For work that blocks, and for work that moves the thread into another network namespace: on the shared pool the first
/// would starve everybody, and the second would be one suspension away from disaster. The queue is as long as the actor
/// has callers.
final class DedicatedThread: SerialExecutor {
    private let jobs = Mutex<[UnownedJob]>([])
    private let available = DispatchSemaphore(value: 0)

    /// Starts the thread; it lives as long as the process.
    init(name: String) {
        // The thread keeps the executor alive: an actor that is gone cannot have jobs, and there is one of it.
        let thread = Thread { [self] in
            while true {
                available.wait()
                let job = jobs.withLock { $0.removeFirst() }
                job.runSynchronously(on: asUnownedSerialExecutor())
            }
        }
        thread.name = name
        thread.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        jobs.withLock { $0.append(unowned) }
        available.signal()
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
}
