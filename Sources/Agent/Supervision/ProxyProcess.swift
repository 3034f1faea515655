// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Kernel

/// A running `apus-proxy`: started by this agent, or by the one before it.
final class ProxyProcess: Sendable {
    let handle: ProcessHandle
    /// Seconds since the epoch.
    let startedAt: Double
    /// Whether it was found running.
    let isAdopted: Bool

    var pid: Int32 { handle.pid }

    private init(_ handle: consuming ProcessHandle, startedAt: Double, isAdopted: Bool) {
        self.handle = handle
        self.startedAt = startedAt
        self.isAdopted = isAdopted
    }

    /// Starts a proxy on a fresh socket at `socketPath` and notes its number beside it.
    static func start(_ program: String, arguments: [String], socketPath: String) throws -> ProxyProcess {
        unlink(socketPath)
        let listener = try Seqpacket.listen(path: socketPath)
        // Only the proxy keeps the socket: when it dies, connecting to the path is refused, and that tells a new agent.
        let handle = try ProcessHandle.spawn(
            program, arguments: ["--link-fd", "3"] + arguments, environment: environment, passing: listener)
        let process = ProxyProcess(handle, startedAt: Date().timeIntervalSince1970, isAdopted: false)
        try? "\(process.pid) \(ProcessFile.startTicks(process.pid) ?? 0)\n"
            .write(toFile: pidPath(socketPath), atomically: true, encoding: .utf8)
        return process
    }

    /// The proxy that an earlier agent noted, if it still runs and is the same process and our program.
    ///
    /// The number is checked after it is held: it may have been given to somebody else since it was written.
    static func find(socketPath: String, executable: String) -> ProxyProcess? {
        guard let text = try? String(contentsOfFile: pidPath(socketPath), encoding: .utf8) else { return nil }
        let fields = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard fields.count == 2, let pid = Int32(fields[0]), pid > 1, let ticks = UInt64(fields[1]),
            let handle = try? ProcessHandle.hold(pid), ProcessFile.startTicks(pid) == ticks,
            ProcessFile.isProgram(pid, named: executable), !handle.hasEnded()
        else { return nil }
        return ProxyProcess(handle, startedAt: ProcessFile.startTime(ticks: ticks), isAdopted: true)
    }

    /// Calls `ended` on a thread of its own when the process has ended.
    func watch(_ ended: @escaping @Sendable (ProcessHandle.Exit) -> Void) {
        let thread = Thread { ended(self.handle.wait()) }
        thread.name = "apus-wait"
        thread.start()
    }

    static func pidPath(_ socketPath: String) -> String {
        (socketPath as NSString).deletingPathExtension + ".pid"
    }

    /// What of our environment the proxy may see: nothing that could hold a secret.
    private static var environment: [String] {
        ProcessInfo.processInfo.environment.filter { $0.key.hasPrefix("APUS_PROXY_") || $0.key == "SWIFT_BACKTRACE" }
            .map { "\($0.key)=\($0.value)" }
    }
}
