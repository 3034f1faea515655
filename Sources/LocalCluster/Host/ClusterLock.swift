// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Kernel

/// Held by the supervisor for as long as it lives, and by `down` while it removes: one cluster on a machine, and the
/// kernel lets go of it even after kill -9, so no pid file can lie.
///
/// The file's text is the path of the cluster's state directory, so that no later command needs to be told.
struct ClusterLock: ~Copyable {
    private let file: Descriptor

    private static let path = "/run/apus/local.lock"
    // Locks of the open file, which a query does not disturb (man 2 fcntl). The names need _GNU_SOURCE.
    private static let queryCommand: CInt = 36  // F_OFD_GETLK
    private static let setCommand: CInt = 37  // F_OFD_SETLK

    /// Takes the lock; `nil` if another process has it.
    /// - Parameter state: recorded for ``recordedState``; `nil` leaves what is there.
    init?(state: StateDirectory?) throws(ClusterError) {
        try? FileManager.default.createDirectory(atPath: "/run/apus", withIntermediateDirectories: true)
        let number = open(ClusterLock.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard number >= 0 else {
            throw ClusterError("cannot open \(ClusterLock.path): \(String(cString: strerror(errno)))")
        }
        let file = Descriptor(adopting: number)
        var range = ClusterLock.wholeFile
        guard fcntl(file.rawValue, ClusterLock.setCommand, &range) == 0 else { return nil }
        // Its last holder may have removed the file after we opened it: then this lock means nothing.
        var mine = stat()
        var named = stat()
        guard fstat(file.rawValue, &mine) == 0, stat(ClusterLock.path, &named) == 0, mine.st_ino == named.st_ino else {
            return nil
        }
        if let state {
            let bytes = Array(state.path.utf8)
            guard ftruncate(file.rawValue, 0) == 0, write(file.rawValue, bytes, bytes.count) == bytes.count else {
                throw ClusterError("cannot write \(ClusterLock.path): \(String(cString: strerror(errno)))")
            }
        }
        self.file = file
    }

    /// Removes the file while it is still held, and with it the lock.
    consuming func remove() {
        unlink(ClusterLock.path)
        rmdir("/run/apus")
    }

    /// Whether a supervisor, or a removal, is at work.
    static var isHeld: Bool {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return false }
        let file = Descriptor(adopting: number)
        var range = wholeFile
        guard fcntl(file.rawValue, queryCommand, &range) == 0 else { return false }
        return range.l_type != Int16(F_UNLCK)
    }

    /// The state directory of the cluster that runs, or that crashed and was not cleared up; `nil` if there is none.
    static var recordedState: StateDirectory? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8), text.hasPrefix("/") else { return nil }
        return StateDirectory(path: text)
    }

    private static var wholeFile: flock {
        flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
    }
}
