// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A pipe for `splice(2)`, both ends non-blocking and close-on-exec.
package struct Pipe: Sendable {
    /// The descriptors; whoever holds the value closes it once.
    package let reader: CInt
    package let writer: CInt

    /// The two ends of a pipe that exists.
    package init(reader: CInt, writer: CInt) {
        self.reader = reader
        self.writer = writer
    }

    /// A new pipe that holds `bytes` if the kernel lets it (`/proc/sys/fs/pipe-max-size`), else the kernel's default.
    package init(bytes: Int) throws(SystemError) {
        var ends: (CInt, CInt) = (-1, -1)
        let status = unsafe withUnsafeMutablePointer(to: &ends) {
            unsafe $0.withMemoryRebound(to: CInt.self, capacity: 2) { unsafe apus_pipe($0) }
        }
        guard status == 0 else { throw SystemError("pipe2", apus_errno()) }
        reader = ends.0
        writer = ends.1
        _ = apus_fcntl(
            writer, 1031 /* F_SETPIPE_SZ, linux/fcntl.h: hidden behind _GNU_SOURCE */, CInt(clamping: bytes))
    }

    package func close() {
        _ = Glibc.close(reader)
        _ = Glibc.close(writer)
    }
}
