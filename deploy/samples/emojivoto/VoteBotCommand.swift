// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import AsyncHTTPClient
import Dispatch
import Foundation
import Glibc
import Logging
import NIOCore
import NIOHTTP1

/// Votes for ever: the list, then a vote, 15 % of them for the doughnut and the rest for anything on the list. So
/// 0.15 + 0.85/99 = 15.86 % of all votes fail.
struct VoteBotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vote-bot", abstract: "Vote at a steady rate.",
        discussion: """
            WEB_HOST        host:port of the front (required)
            HOST_OVERRIDE   the Host header to send
            REQUEST_RATE    rounds a second, each one list and one vote; default 1
            TTL             seconds until it ends; default: never
            """)

    func run() async throws {
        let host = try Environment.required("WEB_HOST")
        let rate = try Environment.number("REQUEST_RATE", in: 0.001...10_000, default: 1)
        let ttl = try Environment.number("TTL", in: 0...1e9, default: 0)
        let bot = VoteBot(host: host, hostOverride: Environment.text("HOST_OVERRIDE"))
        let work = Task { try await bot.run(every: .seconds(1 / rate), for: ttl > 0 ? .seconds(ttl) : nil) }
        let sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { work.cancel() }
            source.resume()
            return source
        }
        defer { for source in sources { source.cancel() } }
        do { try await work.value } catch is CancellationError {}
    }
}

/// The bot's work.
struct VoteBot: Sendable {
    let host: String
    let hostOverride: String?

    /// Rounds that may be under way at a time.
    private static let voters = 4

    /// One round each `period` by the clock, not by the pause, and the next one does not wait for the last: the rate is
    /// what it says, however slow the answers are, as long as ``voters`` rounds at a time are enough.
    func run(every period: Duration, for ttl: Duration?) async throws {
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for voter in 0..<VoteBot.voters {
                group.addTask {
                    try await vote(
                        from: start + period * voter, every: period * VoteBot.voters, until: ttl.map { start + $0 })
                }
            }
            try await group.waitForAll()
        }
    }

    private func vote(
        from start: ContinuousClock.Instant, every period: Duration, until end: ContinuousClock.Instant?
    ) async throws {
        let clock = ContinuousClock()
        var next = start
        while end.map({ next < $0 }) ?? true {
            try await clock.sleep(until: next)
            next = max(next + period, clock.now)
            do {
                try await round()
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                try Task.checkCancellation()
                Emojivoto.log.warning("cannot vote", metadata: ["error": "\(error)"])
                try await clock.sleep(for: .seconds(1))
            }
        }
    }

    private struct NoList: Error { let said: String }

    private func round() async throws {
        let answer = try await get("/api/list")
        guard let list = try? JSONDecoder().decode([Emoji].self, from: answer) else {
            throw NoList(said: String(decoding: answer.prefix(200), as: UTF8.self))
        }
        guard let any = list.randomElement() else { return }
        let choice = Double.random(in: 0..<1) < 0.15 ? ":doughnut:" : any.shortcode
        _ = try await get("/api/vote?choice=\(choice)")
    }

    /// The body, whatever the status: a vote that fails is part of the show.
    private func get(_ path: String) async throws -> Data {
        var request = HTTPClientRequest(url: "http://\(host)\(path)")
        if let hostOverride { request.headers.add(name: "host", value: hostOverride) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
        return Data(try await response.body.collect(upTo: 1 << 20).readableBytesView)
    }
}
