// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Kernel
package import ProxyLink
import Synchronization

/// One link to one proxy. A thread of its own reads from it, because its messages decide when a pod's connections are
/// served and must not wait for anything else on this side.
package final class ProxyConnection: ProxyConnecting {
    /// Seconds after which a proxy that does not read is given up.
    package static let sendTimeoutSeconds = 2

    /// The most workers that a proxy may say it has: each gets sockets of every pod.
    package static let maximumWorkers: UInt16 = 256

    /// What comes from the other end.
    package enum Incoming: Sendable {
        case message(ProxyMessage, descriptors: [OwnedDescriptor])
        /// Nothing more will come: the proxy is gone, or what it said makes no sense.
        case ended(reason: String, isMalformed: Bool)
    }

    private let socket: Descriptor
    private let sending = Mutex(())
    private let workerCount = Atomic<UInt16>(0)

    package var workers: UInt16 { workerCount.load(ordering: .relaxed) }

    package init(_ socket: consuming Descriptor) { self.socket = socket }

    /// Starts reading. `receive` is called on the connection's thread, one message at a time; while it blocks nothing more
    /// is read, so it bounds what the proxy can pile up here.
    package func start(_ receive: @escaping @Sendable (Incoming) -> Void) {
        let thread = Thread { [self] in read(receive) }
        thread.name = "apus-link"
        thread.start()
    }

    private func read(_ receive: (Incoming) -> Void) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: ProxyLink.maximumMessageBytes, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            do {
                switch try FDPassing.receive(into: buffer, over: socket.rawValue) {
                case .wouldBlock: continue
                case .endOfFile:
                    receive(.ended(reason: "end of file", isMalformed: false))
                    return
                case .message(let count, let numbers):
                    let descriptors = numbers.map { OwnedDescriptor($0) }
                    let message = try ProxyMessage(decoding: Array(buffer[..<count]))
                    if case .hello(_, _, let workers) = message {
                        guard (1...ProxyConnection.maximumWorkers).contains(workers) else {
                            receive(.ended(reason: "\(workers) workers", isMalformed: true))
                            return
                        }
                        workerCount.store(workers, ordering: .relaxed)
                    }
                    receive(.message(message, descriptors: descriptors))
                }
            } catch let error as MalformedMessage {
                receive(.ended(reason: "malformed message: \(error.what) at \(error.offset)", isMalformed: true))
                return
            } catch {
                receive(.ended(reason: "\(error)", isMalformed: false))
                return
            }
        }
    }

    package func send(_ message: AgentMessage, descriptors: [CInt]) {
        let bytes = message.encoded()
        let sent = sending.withLock { _ in
            bytes.withUnsafeBytes {
                (try? FDPassing.send($0, descriptors: descriptors, over: socket.rawValue)) ?? false
            }
        }
        if !sent { close() }
    }

    /// Ends the link; the reader's thread says so and stops.
    package func close() { Seqpacket.end(socket) }
}
