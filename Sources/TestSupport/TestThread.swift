// SPDX-License-Identifier: Apache-2.0

import Glibc
import Kernel

/// A thread of a test's own, for what may not happen on a thread that others use.
package final class TestThread: @unchecked Sendable {
    private var thread = pthread_t()

    private final class Start {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Starts `body`.
    package init(_ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(body))
        let status = pthread_create(
            &thread, nil,
            { pointer in
                Unmanaged<Start>.fromOpaque(pointer!).takeRetainedValue().body()
                return nil
            }, start.toOpaque())
        precondition(status == 0, "pthread_create: \(status)")
    }

    /// Waits for its end. Once only.
    package func join() { pthread_join(thread, nil) }

    /// Runs `body` inside the namespace that `path` names, on a thread that ends with it.
    package static func run<Result: Sendable>(
        in path: String, _ body: @escaping @Sendable () throws -> Result
    ) throws -> Result {
        let box = Box<Result>()
        TestThread {
            do {
                box.result = .success(try NetworkNamespace(path: path).run { try body() })
            } catch {
                box.result = .failure(error)
            }
        }.join()
        return try box.result!.get()
    }

    private final class Box<Value: Sendable>: @unchecked Sendable {
        var result: Swift.Result<Value, any Error>?
    }
}
