// SPDX-License-Identifier: Apache-2.0

import Glibc
import Kernel

/// The file system whose files are BPF objects.
enum BPFFileSystem {
    static let standardPoint = "/sys/fs/bpf"

    /// Makes `directory` below a bpffs, mounting one at `/sys/fs/bpf` if that is where it belongs and none is there.
    static func prepare(_ directory: String) throws(RedirectError) {
        if Mount.containing(directory)?.kind != "bpf" {
            guard directory == standardPoint || directory.hasPrefix(standardPoint + "/") else {
                throw .environment("\(directory) is not in a bpf file system")
            }
            guard mount("bpf", standardPoint, "bpf", 0, nil) == 0 else {
                throw .system("mounting the bpf file system at \(standardPoint)", SystemError("mount", errno))
            }
        }
        try RedirectError.during("making \(directory)") { try PseudoFile.makeDirectory(directory) }
    }
}
