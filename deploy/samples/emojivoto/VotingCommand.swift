// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Hummingbird

/// Who got how many votes. Voting for the doughnut fails: something for the mesh to find.
struct VotingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "voting-svc", abstract: "Count votes.",
        discussion: """
            FAILURE_RATE       how often VoteDoughnut fails, 0 to 1; default 1
            ARTIFICIAL_DELAY   how long every vote takes longer: 100ms, 1s
            PORT, PROM_PORT    8080, 8801
            """)

    /// Votes for one emoji.
    struct Result: Codable, Sendable {
        var shortcode: String
        var votes: Int
    }

    private actor Poll {
        private var votes: [String: Int] = [:]

        func vote(_ shortcode: String) { votes[shortcode, default: 0] += 1 }

        var results: [Result] {
            votes.map { Result(shortcode: $0.key, votes: $0.value) }
                .sorted { ($1.votes, $0.shortcode) < ($0.votes, $1.shortcode) }
        }

        var metrics: String {
            let lines = votes.sorted { $0.key < $1.key }.map {
                "emojivoto_votes_total{emoji=\"\($0.key)\"} \($0.value)\n"
            }
            return "# HELP emojivoto_votes_total Votes counted.\n# TYPE emojivoto_votes_total counter\n"
                + lines.joined()
        }
    }

    func run() async throws {
        let failureRate = try Environment.number("FAILURE_RATE", in: 0...1, default: 1)
        let delay = try Environment.duration("ARTIFICIAL_DELAY")
        let poll = Poll()
        let router = Router()
        for emoji in Emoji.all {
            router.post("/emojivoto.v1.VotingService/Vote\(emoji.methodName)") { _, _ in
                if let delay { try await Task.sleep(for: delay) }
                if emoji.shortcode == ":doughnut:", Double.random(in: 0..<1) < failureRate {
                    return try Server.json(ErrorBody(error: "ERROR"), status: .internalServerError)
                }
                await poll.vote(emoji.shortcode)
                return try Server.json([String: String]())
            }
        }
        router.post("/emojivoto.v1.VotingService/Results") { _, _ in try Server.json(await poll.results) }
        try await Server.run(
            router, port: Environment.port("PORT", default: 8080),
            metrics: (Environment.port("PROM_PORT", default: 8801), { await poll.metrics }))
    }
}
