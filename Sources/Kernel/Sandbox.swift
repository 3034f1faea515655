// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Gives up, for good, everything that the calling process does not need for moving bytes.
package enum Sandbox {
    /// What could not be given up.
    package struct Failure: Error, CustomStringConvertible {
        package let step: String
        package let errno: CInt

        package var description: String { "cannot drop privileges at \(step): \(SystemError("sandbox", errno))" }
    }

    /// Own namespaces, an empty root, another user without any capability, no way back, and only the system calls of
    /// `Sources/CLinux/sandbox.c`. Must come before the process has a second thread.
    ///
    /// `root` should be an empty directory that nobody but root can write.
    package static func enter(uid: UInt32, root: String) throws(Failure) {
        var step: UnsafePointer<CChar>?
        let status = unsafe apus_sandbox(uid, root, &step)
        guard status == 0 else {
            throw Failure(step: unsafe step.map { unsafe String(cString: $0) } ?? "?", errno: -status)
        }
    }

    /// Raises the number of descriptors that the process may have to what the system allows; returns it.
    package static func raiseDescriptorLimit(to wanted: UInt) -> UInt {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        limit.rlim_cur = max(limit.rlim_cur, wanted)
        limit.rlim_max = max(limit.rlim_max, limit.rlim_cur)
        if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
            _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = limit.rlim_max
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return UInt(limit.rlim_cur)
    }

    /// The user at the other end of a connected Unix socket (`SO_PEERCRED`), or -1.
    package static func peerUser(of socket: CInt) -> CInt { apus_peer_uid(socket) }

    /// The process at the other end of a connected Unix socket when it connected, or -1.
    package static func peerProcess(of socket: CInt) -> CInt { apus_peer_pid(socket) }
}
