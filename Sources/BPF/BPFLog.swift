// SPDX-License-Identifier: Apache-2.0

import CLibBPF
import Glibc
import Synchronization

/// What libbpf prints, kept for the next error instead of going to standard error.
enum BPFLog {
    /// The verifier's log may be megabytes; its end says what is wrong.
    private static let limit = 4096

    private static let text = Mutex("")

    /// Must be touched before the first call that may fail; the language runs it once.
    static let installed: Void = {
        _ = unsafe libbpf_set_print { level, format, arguments in
            guard level != LIBBPF_DEBUG, let format = unsafe format, let arguments = unsafe arguments else { return 0 }
            let line = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16384) { buffer in
                _ = unsafe vsnprintf(buffer.baseAddress, buffer.count, format, arguments)
                return unsafe buffer.baseAddress.map { unsafe String(cString: $0) } ?? ""
            }
            BPFLog.append(line)
            return 0
        }
    }()

    /// Everything since the last call.
    static func take() -> String {
        text.withLock { text in
            defer { text = "" }
            return String(text.suffix(limit))
        }
    }

    private static func append(_ line: String) {
        text.withLock { text in
            text += line
            if text.utf8.count > 4 * limit { text = String(text.suffix(limit)) }
        }
    }
}
