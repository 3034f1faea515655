// SPDX-License-Identifier: Apache-2.0

import Glibc
import Kernel

/// The whole proxy: workers and the link, in one process that has given up its privileges.
package enum ProxyProcess {
    /// The user that the proxy runs as: a number without a name, above the range that distributions give out.
    package static let defaultUser: UInt32 = 15001
    /// The most descriptors: two per connection, and pipes.
    package static let descriptorLimit: UInt = 1 << 20
    /// More workers than this seldom help: the rest of the node belongs to its pods.
    package static let defaultMaximumWorkers = 4

    /// What the command line says.
    package struct Options {
        package var linkDescriptor: CInt = -1
        package var workers = 0
        package var user = ProxyProcess.defaultUser
        package var root = "/var/empty"
        package var spins = true
        package var tapBase: UInt32 = 0

        package init() {}
    }

    /// Runs until drained. Returns the exit status.
    package static func run(_ options: Options) -> CInt {
        signal(SIGPIPE, SIG_IGN)
        _ = Sandbox.raiseDescriptorLimit(to: descriptorLimit)
        let isPrivileged = geteuid() == 0
        if isPrivileged {
            do throws(Sandbox.Failure) {
                try Sandbox.enter(uid: options.user, root: options.root)
            } catch {
                return complain("\(error)")
            }
        }
        let processors = max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))
        let count = options.workers > 0 ? options.workers : min(processors, defaultMaximumWorkers)
        do throws(SystemError) {
            let outbox = try Mailbox<Report>()
            var handles: [WorkerHandle] = []
            for index in 0..<count { handles.append(try WorkerHandle(index: index)) }
            for handle in handles {
                var workerOptions = WorkerOptions()
                workerOptions.spins = options.spins
                workerOptions.tapBase = options.tapBase &+ UInt32(truncatingIfNeeded: handle.index)
                try WorkerThread.start(
                    handle, others: handles.filter { $0 !== handle }, outbox: outbox, options: workerOptions)
            }
            var server = LinkServer(
                listener: options.linkDescriptor, workers: handles, outbox: outbox, agentUser: isPrivileged ? 0 : -1)
            server.run()
            return 0
        } catch {
            return complain("\(error)")
        }
    }

    static func complain(_ text: String) -> CInt {
        let line = "apus-proxy: \(text)\n"
        _ = line.withCString { write(2, $0, strlen($0)) }
        return 1
    }
}

/// A worker on a thread of its own.
enum WorkerThread {
    private final class Start {
        let handle: WorkerHandle
        let others: [WorkerHandle]
        let outbox: Mailbox<Report>
        let options: WorkerOptions

        init(_ handle: WorkerHandle, _ others: [WorkerHandle], _ outbox: Mailbox<Report>, _ options: WorkerOptions) {
            self.handle = handle
            self.others = others
            self.outbox = outbox
            self.options = options
        }
    }

    static func start(
        _ handle: WorkerHandle, others: [WorkerHandle], outbox: Mailbox<Report>, options: WorkerOptions
    ) throws(SystemError) {
        let start = Unmanaged.passRetained(Start(handle, others, outbox, options))
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, { WorkerThread.enter($0!) }, start.toOpaque())
        guard status == 0 else {
            start.release()
            throw SystemError("pthread_create", status)
        }
        pthread_detach(thread)
    }

    private static func enter(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        do throws(SystemError) {
            var worker = try Worker(start.handle, others: start.others, outbox: start.outbox, options: start.options)
            try worker.run()
        } catch {
            // A loop that cannot wait for events cannot go on; the agent starts the proxy again.
            exit(ProxyProcess.complain("worker \(start.handle.index): \(error)"))
        }
        return nil
    }
}
