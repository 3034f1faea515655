// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What the kernel or libbpf refused.
package struct BPFError: Error {
    /// What was tried.
    package let operation: Operation
    /// The object, program, map or path it was tried on.
    package let subject: String
    /// The kernel's word for it; 0 when libbpf gave none.
    package let errno: CInt
    /// What libbpf printed meanwhile, the verifier's last lines included; may be empty.
    package let log: String

    /// One case per call.
    package enum Operation: String, Sendable {
        case open, load, find, attach, pin, replace, lookup, update, delete, inspect, run
        case ringBuffer = "open ring buffer"
    }

    /// An error, with everything libbpf has logged since the last one.
    init(_ operation: Operation, _ subject: String, _ errno: CInt = 0) {
        self.operation = operation
        self.subject = subject
        self.errno = errno
        log = BPFLog.take()
    }
}

extension BPFError: CustomStringConvertible {
    /// `attach apus_connect4: Operation not permitted (1)`, then libbpf's own lines.
    package var description: String {
        var text = "\(operation.rawValue) \(subject)"
        if errno != 0 {
            let reason = unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "unknown error"
            text += ": \(reason) (\(errno))"
        }
        return log.isEmpty ? text : "\(text)\n\(log)"
    }
}
