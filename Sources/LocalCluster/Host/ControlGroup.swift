// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Glibc

/// A cgroup2 directory. All of a cluster's processes live below one, so that ending them needs no list of pids that may
/// be somebody else's by now.
package struct ControlGroup: Hashable, Sendable {
    package let path: String

    /// The group that holds the whole cluster: `apus-local` at the root of the cgroup2 hierarchy.
    package static func cluster() throws(ClusterError) -> ControlGroup {
        ControlGroup(path: "\(try mountPoint())/apus-local")
    }

    /// Where cgroup2 is mounted: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` beside version 1.
    package static func mountPoint() throws(ClusterError) -> String {
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count > 2, fields[2] == "cgroup2" { return String(fields[1]) }
        }
        throw ClusterError(
            "cgroup2 is not mounted: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified")
    }

    package func child(_ name: String) -> ControlGroup { ControlGroup(path: "\(path)/\(name)") }

    package var exists: Bool { FileManager.default.fileExists(atPath: path) }

    package func create() throws(ClusterError) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw ClusterError("cannot make cgroup \(path): \(error.localizedDescription)")
        }
    }

    /// Moves the calling process here.
    package func enter() throws(ClusterError) {
        do {
            try Data("0".utf8).write(to: URL(fileURLWithPath: "\(path)/cgroup.procs"))
        } catch {
            throw ClusterError("cannot enter cgroup \(path): \(error.localizedDescription)")
        }
    }

    /// The processes in it, not those in its children.
    package var processes: [pid_t] {
        let text = (try? String(contentsOfFile: "\(path)/cgroup.procs", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { pid_t($0) }
    }

    /// Whether a process lives in it or below.
    package var isPopulated: Bool {
        let events = (try? String(contentsOfFile: "\(path)/cgroup.events", encoding: .utf8)) ?? ""
        return events.contains("populated 1")
    }

    /// Asks all processes here and below to end.
    package func terminate() {
        for group in descendants + [self] {
            for pid in group.processes { kill(pid, SIGTERM) }
        }
    }

    /// Ends all processes here and below at once (cgroup.kill, Linux 5.14).
    package func killAll() {
        try? Data("1".utf8).write(to: URL(fileURLWithPath: "\(path)/cgroup.kill"))
    }

    /// Waits until nothing lives in it or below.
    /// - Returns: false if something still did at the deadline.
    @discardableResult
    package func waitUntilEmpty(_ limit: Duration) -> Bool {
        let deadline = ContinuousClock.now + limit
        while isPopulated {
            guard ContinuousClock.now < deadline else { return false }
            usleep(5_000)
        }
        return true
    }

    /// Removes it and all below. Its processes must be gone.
    package func remove() throws(ClusterError) {
        guard exists else { return }
        for group in descendants + [self] {
            // The kernel lets a killed process's group go a moment after the process.
            var code: CInt = 0
            for _ in 0..<200 {
                code = rmdir(group.path) == 0 ? 0 : errno
                if code != EBUSY { break }
                usleep(5_000)
            }
            guard code == 0 || code == ENOENT else {
                throw ClusterError("cannot remove cgroup \(group.path): \(String(cString: strerror(code)))")
            }
        }
    }

    /// All groups below, the deepest first.
    private var descendants: [ControlGroup] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.map { child($0) }.filter {
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: $0.path, isDirectory: &isDirectory) && isDirectory.boolValue
        }.flatMap { $0.descendants + [$0] }
    }
}
