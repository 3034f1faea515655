// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// Who got how many votes. Voting for the doughnut fails: something for the mesh to find.
struct VotingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "voting-svc", abstract: "Count votes.",
        discussion: """
            FAILURE_RATE           the share of all votes that fail, 0.0 to 1.0; default: all for the doughnut and no
                                   other
            ARTIFICIAL_DELAY       how long every vote takes longer: 50ms, 1.5s
            GRPC_PORT, PROM_PORT   8080, 8801
            """)

    func run() async throws {
        let poll = Poll()
        let failureRate =
            Environment.text("FAILURE_RATE") == nil
            ? nil : try Environment.number("FAILURE_RATE", in: 0...1, default: 0)
        let service = VotingService(
            poll: poll, failureRate: failureRate, delay: try Environment.duration("ARTIFICIAL_DELAY"))
        try await CallServer.run(
            [service], port: Environment.port("GRPC_PORT", default: 8080),
            metrics: (Environment.port("PROM_PORT", default: 8801), { await poll.metrics }))
    }
}
