// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What test processes make outside of themselves. Every name begins with the prefix and the process id, so that the
/// next run can tell what belongs to the dead.
package enum TestLeftovers {
    package static let prefix = "apus-t"

    /// The cgroup2 mount point; pods' and agents' cgroups of tests lie below it.
    package static let cgroupRoot = mountPoint("cgroup2") ?? "/sys/fs/cgroup"
    package static let pinRoot = "/sys/fs/bpf"

    /// Removes what belongs to processes that no longer exist.
    package static func remove() {
        for name in names("/run/netns") where isOrphan(name) { _ = try? TestCommand.run("ip", "netns", "del", name) }
        for name in names(pinRoot) where isOrphan(name) {
            for file in names("\(pinRoot)/\(name)") { unlink("\(pinRoot)/\(name)/\(file)") }
            rmdir("\(pinRoot)/\(name)")
        }
        for name in names(cgroupRoot) where isOrphan(name) {
            for child in names("\(cgroupRoot)/\(name)") { rmdir("\(cgroupRoot)/\(name)/\(child)") }
            rmdir("\(cgroupRoot)/\(name)")
        }
    }

    private static func isOrphan(_ name: String) -> Bool {
        // An agent names a cgroup of its own after its pin directory.
        let name = name.hasPrefix("apus-agent-") ? name.dropFirst("apus-agent-".count) : name[...]
        guard name.hasPrefix(prefix) else { return false }
        let digits = name.dropFirst(prefix.count).prefix { $0.isNumber }
        guard let process = Int32(digits) else { return false }
        return kill(process, 0) != 0 && errno == ESRCH
    }

    private static func names(_ directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names.filter { $0 != "." && $0 != ".." }
    }

    private static func mountPoint(_ kind: String) -> String? {
        guard let file = fopen("/proc/self/mounts", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, CInt(line.count), file) != nil {
            let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                .split(separator: " ")
            if words.count > 2, words[2] == kind { return String(words[1]) }
        }
        return nil
    }
}
