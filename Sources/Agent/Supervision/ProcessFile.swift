// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// What `/proc/PID` tells about a process (man 5 proc).
enum ProcessFile {
    /// Start of the process in clock ticks since boot: with the number it names a process for as long as the machine runs.
    static func startTicks(_ pid: Int32) -> UInt64? { stat(pid).flatMap { UInt64($0[19]) } }

    /// Start in seconds since the epoch.
    static func startTime(ticks: UInt64) -> Double {
        var boot = timespec()
        clock_gettime(CLOCK_BOOTTIME, &boot)
        let sinceBoot = Double(boot.tv_sec) + Double(boot.tv_nsec) / 1e9
        return Date().timeIntervalSince1970 - sinceBoot + Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Whether it runs the program of that name, perhaps a build of it that has been replaced on disk since.
    static func isProgram(_ pid: Int32, named program: String) -> Bool {
        guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe") else {
            return false
        }
        let name = (path as NSString).lastPathComponent
        let wanted = (program as NSString).lastPathComponent
        return name == wanted || name == "\(wanted) (deleted)"
    }

    /// Processor time and memory.
    struct Usage {
        var processorSeconds: Double
        var residentBytes: UInt64
        var descriptors: Int?
        var startTime: Double
    }

    static func usage(_ pid: Int32) -> Usage? {
        guard let fields = stat(pid), let user = Double(fields[11]), let system = Double(fields[12]),
            let start = UInt64(fields[19]), let pages = UInt64(fields[21])
        else { return nil }
        let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
        return Usage(
            processorSeconds: (user + system) / Double(sysconf(Int32(_SC_CLK_TCK))),
            residentBytes: pages * UInt64(sysconf(Int32(_SC_PAGESIZE))), descriptors: descriptors,
            startTime: startTime(ticks: start))
    }

    /// The fields of `/proc/PID/stat` from the third on; what comes before may contain spaces and brackets.
    private static func stat(_ pid: Int32) -> [Substring]? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count >= 22 ? fields : nil
    }
}
