// SPDX-License-Identifier: Apache-2.0

import Glibc
import Kernel

/// Files of /proc, /sys and cgroup2: small, read and written whole.
enum PseudoFile {
    static func read(_ path: String) throws(SystemError) -> String {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open", errno) }
        let file = Descriptor(adopting: number)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let size = Glibc.read(file.rawValue, &chunk, chunk.count)
            guard size >= 0 else { throw SystemError("read", errno) }
            if size == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<size]
        }
    }

    static func write(_ text: String, to path: String) throws(SystemError) {
        let number = open(path, O_WRONLY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open", errno) }
        let file = Descriptor(adopting: number)
        let bytes = Array(text.utf8)
        guard Glibc.write(file.rawValue, bytes, bytes.count) == bytes.count else { throw SystemError("write", errno) }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The names in a directory, without `.` and `..`; empty if it cannot be read.
    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes a directory and those above it.
    static func makeDirectory(_ path: String) throws(SystemError) {
        var done = ""
        for part in path.split(separator: "/") {
            done += "/" + part
            if mkdir(done, 0o755) != 0 && errno != EEXIST {
                let code = errno
                if !exists(done) { throw SystemError("mkdir", code) }
            }
        }
    }

    /// The inode number, which is also a cgroup's id.
    static func inode(of path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }
}

/// A line of /proc/self/mountinfo.
struct Mount {
    let point: String
    let kind: String

    static func all() -> [Mount] {
        guard let text = try? PseudoFile.read("/proc/self/mountinfo") else { return [] }
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 5, let dash = words.firstIndex(of: "-"), dash + 1 < words.count else { return nil }
            return Mount(point: String(words[4]), kind: String(words[dash + 1]))
        }
    }

    /// The mount that `path` lies in.
    static func containing(_ path: String) -> Mount? {
        all().filter { path == $0.point || path.hasPrefix($0.point == "/" ? "/" : $0.point + "/") }
            .enumerated()
            .max { ($0.element.point.utf8.count, $0.offset) < ($1.element.point.utf8.count, $1.offset) }?
            .element
    }
}
