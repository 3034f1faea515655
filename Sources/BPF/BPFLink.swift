// SPDX-License-Identifier: Apache-2.0

import CLibBPF
import Glibc

/// A program's attachment. It ends with the last descriptor and the last pin.
package struct BPFLink: ~Copyable {
    let rawValue: CInt

    init(adopting rawValue: CInt) { self.rawValue = rawValue }

    /// Opens the link pinned at `path`; `nil` if nothing is there.
    package init?(pinnedAt path: String) throws(BPFError) {
        BPFLog.installed
        let number = unsafe bpf_obj_get(path)
        if number == -ENOENT { return nil }
        guard number >= 0 else { throw BPFError(.open, path, -number) }
        rawValue = number
    }

    deinit { _ = close(rawValue) }

    /// Keeps the program attached after this process has gone. The pin is removed by `unlink`.
    package borrowing func pin(at path: String) throws(BPFError) {
        let status = unsafe bpf_obj_pin(rawValue, path)
        guard status == 0 else { throw BPFError(.pin, path, -status) }
    }

    /// What it is attached to now.
    package enum Target: Equatable, Sendable {
        /// The cgroup's inode number.
        case cgroup(UInt64)
        /// The namespace's inode number.
        case networkNamespace(UInt32)
        /// What it was attached to is gone.
        case nothing
    }

    /// Asks the kernel what the link is attached to.
    package borrowing func target() throws(BPFError) -> Target {
        var info = bpf_link_info()
        var size = UInt32(MemoryLayout<bpf_link_info>.size)
        let status = unsafe bpf_obj_get_info_by_fd(rawValue, &info, &size)
        guard status == 0 else { throw BPFError(.inspect, "link", -status) }
        switch info.type {
        case BPF_LINK_TYPE_CGROUP.rawValue where info.cgroup.cgroup_id != 0: return .cgroup(info.cgroup.cgroup_id)
        case BPF_LINK_TYPE_NETNS.rawValue where info.netns.netns_ino != 0:
            return .networkNamespace(info.netns.netns_ino)
        default: return .nothing
        }
    }
}
