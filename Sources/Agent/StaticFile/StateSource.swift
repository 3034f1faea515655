// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Logging
import Model
import Synchronization

/// The static file over time: read again whenever it is another one or has changed.
///
/// Looks at the file's inode, size and times instead of asking inotify: that also sees a rename over the file, a bind
/// mount and a file system that reports nothing, and costs one system call per look.
final class StateSource: Sendable {
    /// How often to look.
    static let interval = Duration.milliseconds(500)

    let path: String
    /// Where the last good file is kept, so that a restart while the file is bad does not lose the configuration.
    private let copyPath: String
    private let counts: AgentCounts
    private let log: Logger
    private let state = Mutex(State())

    private struct State {
        var mark: Mark?
        var error: String?
    }

    /// What tells one content of a path from another.
    private struct Mark: Equatable {
        var device, inode: UInt64
        var size, seconds, nanoseconds: Int64
    }

    init(path: String, copyPath: String, counts: AgentCounts, log: Logger) {
        self.path = path
        self.copyPath = copyPath
        self.counts = counts
        self.log = log
    }

    /// Why the file on disk is not used, if it is not.
    var error: String? { state.withLock { $0.error } }

    /// The new state if there is a good one that has not been returned before.
    func next() -> NodeState? {
        let mark = currentMark()
        let isNew = state.withLock { state in
            // A missing file is news once.
            if state.mark == mark, mark != nil || state.error != nil { return false }
            state.mark = mark
            return true
        }
        guard isNew else { return nil }
        do throws(StaticFileError) {
            let loaded = try StaticFile.load(path)
            state.withLock { $0.error = nil }
            counts.configurationBad.set(0)
            keepCopy()
            return loaded
        } catch {
            state.withLock { $0.error = error.description }
            counts.configurationErrors.add(1)
            counts.configurationBad.set(1)
            log.error("the configuration is bad; the one before it goes on", metadata: [LogKey.error: "\(error)"])
            return nil
        }
    }

    /// The last good state of an earlier agent; `nil` if there is none.
    func remembered() -> NodeState? { try? StaticFile.load(copyPath) }

    private func keepCopy() {
        guard let data = FileManager.default.contents(atPath: path) else { return }
        try? data.write(to: URL(fileURLWithPath: copyPath), options: .atomic)
    }

    private func currentMark() -> Mark? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Mark(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
            seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
    }
}
