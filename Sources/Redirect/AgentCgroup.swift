// SPDX-License-Identifier: Apache-2.0

import Glibc
import Kernel

/// The cgroup that this process is in while it makes sockets.
///
/// The socket option programs follow the cgroup of the task that called `socket()`. At the root they would cost every
/// setsockopt() of the machine 0.3-0.4 us, so a process that is in the root moves to a child first.
struct AgentCgroup {
    let path: String
    /// Where the process came from, if it was moved.
    private let home: String?
    /// Whether it is ours to remove.
    private let isOurs: Bool

    /// Finds or makes the cgroup and moves this process, all threads of it, there.
    /// - Parameter name: for a new child of the root; the same after a restart, so that a proxy that is still in it and
    ///   sockets made there stay with the programs.
    static func join(_ wanted: String?, cgroupPath: String, name: String) throws(RedirectError) -> AgentCgroup {
        guard let mount = Mount.containing(cgroupPath), mount.kind == "cgroup2" else {
            throw .environment("\(cgroupPath) is not in a cgroup2 file system; mount one and pass it with --cgroup")
        }
        let current = try currentPath(mount.point)
        let target =
            if let wanted { wanted } else if current == mount.point { "\(mount.point)/apus-agent-\(name)" } else {
                current
            }
        guard target != current else { return AgentCgroup(path: current, home: nil, isOurs: false) }
        let isOurs = wanted == nil || !PseudoFile.exists(target)
        try RedirectError.during("moving this process to the cgroup \(target)") {
            try PseudoFile.makeDirectory(target)
            try PseudoFile.write("\(getpid())", to: "\(target)/cgroup.procs")
        }
        return AgentCgroup(path: target, home: current, isOurs: isOurs)
    }

    /// Goes back; a cgroup that was made for this is removed, unless others are in it.
    func leave() {
        guard let home else { return }
        try? PseudoFile.write("\(getpid())", to: "\(home)/cgroup.procs")
        if isOurs { rmdir(path) }
    }

    private static func currentPath(_ mountPoint: String) throws(RedirectError) -> String {
        let text = try RedirectError.during("reading this process's cgroup") {
            try PseudoFile.read("/proc/self/cgroup")
        }
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else {
            throw .environment("this process is in no cgroup2 cgroup")
        }
        let inside = line.dropFirst("0::/".count)
        return inside.isEmpty ? mountPoint : "\(mountPoint)/\(inside)"
    }
}
