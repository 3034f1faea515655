// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Messages with descriptors over a Unix `SOCK_SEQPACKET` socket (man 7 unix, `SCM_RIGHTS`).
package enum FDPassing {
    /// How many descriptors one message can carry: `SCM_MAX_FD` of the kernel.
    package static let maximumDescriptors = 253

    /// Sends one message. The descriptors stay the caller's.
    /// - Returns: false if the socket's buffer is full (only for a non-blocking socket).
    package static func send(
        _ bytes: UnsafeRawBufferPointer, descriptors: [CInt], over socket: CInt
    ) throws(SystemError) -> Bool {
        while true {
            let sent = unsafe apus_send_fds(socket, bytes.baseAddress, bytes.count, descriptors, descriptors.count)
            if sent >= 0 { return true }
            switch apus_errno() {
            case EINTR: continue
            case EAGAIN: return false
            case let code: throw SystemError("sendmsg", code)
            }
        }
    }

    /// What ``receive(into:over:)`` found.
    package enum Received {
        /// A message of `count` bytes and its descriptors, close-on-exec, now the caller's to close.
        case message(count: Int, descriptors: [CInt])
        /// Nothing there yet (only for a non-blocking socket).
        case wouldBlock
        /// The other end is gone.
        case endOfFile
    }

    /// Receives one message into `buffer`. A message or a descriptor list that does not fit is an error (`EMSGSIZE`).
    package static func receive(
        into buffer: UnsafeMutableRawBufferPointer, over socket: CInt
    ) throws(SystemError) -> Received {
        while true {
            var numbers = InlineArray<253, CInt>(repeating: -1)
            var count = 0
            let size = unsafe withUnsafeMutablePointer(to: &numbers) {
                unsafe $0.withMemoryRebound(to: CInt.self, capacity: 253) {
                    unsafe apus_receive_fds(socket, buffer.baseAddress, buffer.count, $0, &count, 0)
                }
            }
            if size > 0 { return .message(count: size, descriptors: (0..<count).map { numbers[$0] }) }
            if size == 0 { return .endOfFile }
            switch apus_errno() {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case ECONNRESET: return .endOfFile
            case let code: throw SystemError("recvmsg", code)
            }
        }
    }
}
