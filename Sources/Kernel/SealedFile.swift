// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Bytes in a memory file that nobody can change any more (man 2 memfd_create, `F_ADD_SEALS`).
package enum SealedFile {
    /// Creates one with `bytes` in it.
    package static func create(_ bytes: [UInt8]) throws(SystemError) -> Descriptor {
        let number = unsafe apus_memfd("apus")
        guard number >= 0 else { throw SystemError("memfd_create", apus_errno()) }
        let file = Descriptor(adopting: number)
        var at = 0
        while at < bytes.count {
            let size = unsafe bytes.withUnsafeBytes { unsafe write(number, $0.baseAddress! + at, $0.count - at) }
            guard size > 0 else { throw SystemError("write", apus_errno()) }
            at += size
        }
        guard apus_seal(number) == 0 else { throw SystemError("fcntl", apus_errno()) }
        return file
    }

    /// Reads one whole; `EPERM` if it is not sealed, `EFBIG` if it is over `limit` bytes.
    package static func read(_ file: borrowing Descriptor, limit: Int) throws(SystemError) -> [UInt8] {
        // -1, for a file that cannot be sealed, has every bit set.
        let seals = apus_seals(file.rawValue)
        guard seals >= 0, seals & apus_seals_wanted() == apus_seals_wanted() else { throw SystemError("fcntl", EPERM) }
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0 else { throw SystemError("fstat", apus_errno()) }
        guard Int(status.st_size) <= limit else { throw SystemError("read", EFBIG) }
        var failure: CInt = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
            while count < buffer.count {
                let size = unsafe pread(file.rawValue, buffer.baseAddress! + count, buffer.count - count, off_t(count))
                guard size > 0 else {
                    failure = size < 0 ? apus_errno() : EIO
                    return
                }
                count += size
            }
        }
        guard failure == 0 else { throw SystemError("pread", failure) }
        return bytes
    }
}
