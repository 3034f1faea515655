// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GRPCCore
import Logging
import ServiceLifecycle
import UnixSignals

/// Watches the results, for ever: calls that do not end, which a mesh that counts a call when it ends cannot see.
struct WatcherCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watcher", abstract: "Keep streams of results open.",
        discussion: """
            VOTINGSVC_HOST   host:port of the voting service (required)
            STREAMS          how many at a time, 1 to 10000; default 1
            """)

    func run() async throws {
        let backEnd = try BackEnd("VOTINGSVC_HOST")
        let count = Int(try Environment.number("STREAMS", in: 1...10_000, default: 1))
        let watchers = (1...count).map { Watcher(number: $0, voting: VotingBackEnd(backEnd)) }
        try await ServiceGroup(
            services: [backEnd] + watchers, gracefulShutdownSignals: [.sigterm, .sigint], logger: Emojivoto.log
        ).run()
    }
}

/// One stream, begun again whenever it ends.
private struct Watcher: Service {
    let number: Int
    let voting: VotingBackEnd

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await watch()
                } catch {
                    if Task.isCancelled { return }
                    log.warning("the stream ended", metadata: ["error": "\((error as? RPCError)?.text ?? "\(error)")"])
                }
                // It ends while the service is away or moves: try again, not too often.
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func watch() async throws {
        let leader = Leader()
        try await voting.watch { results in
            guard let leading = await leader.changed(by: results) else { return }
            log.info("leader", metadata: ["emoji": "\(leading.shortcode)", "votes": "\(leading.votes)"])
        }
    }

    private var log: Logger {
        var log = Emojivoto.log
        log[metadataKey: "stream"] = "\(number)"
        return log
    }
}

/// Who leads. `nil` if that is who it was before.
private actor Leader {
    private var current: Poll.Result?

    func changed(by results: [Poll.Result]) -> Poll.Result? {
        guard let best = results.first, best.votes > current?.votes ?? 0 else { return nil }
        defer { current = best }
        return best.shortcode == current?.shortcode ? nil : best
    }
}
