// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Glibc
import LocalCluster
import Logging

/// `apus local supervise`: what `up` starts in the background. StartProgress goes to standard output, one JSON object a
/// line, until the cluster is up; the log goes to standard error.
struct LocalSupervise: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervise", abstract: "Keep a prepared cluster running.", shouldDisplay: false)

    @OptionGroup var state: StateOptions

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)  // whoever watches the start may go away
        let control = state.control
        let (plan, settings) = try control.prepared()
        let log = Logger(label: "apus.local") { StreamLogHandler.standardError(label: $0) }
        let supervisor = try Supervisor(
            plan: plan, state: control.state, settings: settings, log: log, report: Self.report)
        do {
            try await supervisor.run(until: StopSignals())
        } catch {
            Self.report(.failed("\(error)"))
            throw error
        }
    }

    private static func report(_ progress: StartProgress) {
        guard var line = try? JSONEncoder().encode(progress) else { return }
        line.append(0x0a)
        _ = line.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}
