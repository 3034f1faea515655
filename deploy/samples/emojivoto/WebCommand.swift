// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GRPCCore
import Hummingbird

/// The front: a page, and the API that the page and the bot call.
struct WebCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "web", abstract: "Serve the page and its API.",
        discussion: """
            EMOJISVC_HOST, VOTINGSVC_HOST   host:port of the back ends
            WEB_PORT                        default 8080
            MESSAGE_OF_THE_DAY              shown on the page
            """)

    private struct Leader: Codable {
        var shortcode: String
        var unicode: String
        var votes: Int64
    }

    func run() async throws {
        let backEnds = (emoji: try BackEnd("EMOJISVC_HOST"), voting: try BackEnd("VOTINGSVC_HOST"))
        let emoji = EmojiBackEnd(backEnds.emoji)
        let voting = VotingBackEnd(backEnds.voting)
        let page = Server.html(WebPage.text(message: Environment.text("MESSAGE_OF_THE_DAY") ?? "Vote for an emoji."))
        let router = Router()
        router.get("/") { _, _ in page }
        router.get("/leaderboard") { _, _ in page }
        router.get("/api/list") { _, _ in try await answer { try await emoji.list() } }
        router.get("/api/vote") { request, _ in
            guard let choice = request.uri.queryParameters.get("choice") else {
                return try Server.json(ErrorBody(error: "say what to vote for: ?choice=:name:"), status: .badRequest)
            }
            return try await answer {
                let found = try await emoji.find(choice)
                try await voting.vote(for: found)
                return found
            }
        }
        router.get("/api/leaderboard") { _, _ in try await answer { try await leaders(emoji, voting) } }
        try await Server.run(
            router, port: Environment.port("WEB_PORT", default: 8080), with: [backEnds.emoji, backEnds.voting])
    }

    /// What a back end said as JSON: an unknown emoji is the caller's mistake (400), everything else ours (500).
    private func answer(_ body: () async throws -> some Encodable) async throws -> Response {
        do {
            return try Server.json(try await body())
        } catch let error as RPCError {
            return try Server.json(
                ErrorBody(error: error.text), status: error.code == .notFound ? .badRequest : .internalServerError)
        }
    }

    /// One call for the results and one for each of them: a fan-out for the mesh to show.
    private func leaders(_ emoji: EmojiBackEnd, _ voting: VotingBackEnd) async throws -> [Leader] {
        var leaders: [Leader] = []
        for result in try await voting.results() {
            let found = try await emoji.find(result.shortcode)
            leaders.append(Leader(shortcode: found.shortcode, unicode: found.unicode, votes: result.votes))
        }
        return leaders
    }
}
