// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
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
        var votes: Int
    }

    func run() async throws {
        let emoji = BackEnd(host: try Environment.required("EMOJISVC_HOST"))
        let voting = BackEnd(host: try Environment.required("VOTINGSVC_HOST"))
        let page = Server.html(WebPage.text(message: Environment.text("MESSAGE_OF_THE_DAY") ?? "Vote for an emoji."))
        let router = Router()
        router.get("/") { _, _ in page }
        router.get("/leaderboard") { _, _ in page }
        router.get("/api/list") { _, _ in
            try await answer { try await emoji.call("/emojivoto.v1.EmojiService/ListAll", returning: [Emoji].self) }
        }
        router.get("/api/vote") { request, _ in
            guard let choice = request.uri.queryParameters.get("choice") else {
                return try Server.json(ErrorBody(error: "say what to vote for: ?choice=:name:"), status: .badRequest)
            }
            return try await answer { try await vote(choice, emoji, voting) }
        }
        router.get("/api/leaderboard") { _, _ in
            try await answer { try await leaders(emoji, voting) }
        }
        try await Server.run(router, port: Environment.port("WEB_PORT", default: 8080))
    }

    /// What a back end said as JSON: an unknown emoji is the caller's mistake (400), everything else ours (500).
    private func answer(_ body: () async throws -> some Encodable) async throws -> Response {
        do {
            return try Server.json(try await body())
        } catch let failure as BackEnd.Failed where failure.status == 404 {
            return try Server.json(ErrorBody(error: failure.description), status: .badRequest)
        } catch {
            return try Server.json(ErrorBody(error: "\(error)"), status: .internalServerError)
        }
    }

    private func vote(_ choice: String, _ emoji: BackEnd, _ voting: BackEnd) async throws -> Emoji {
        let found = try await find(choice, emoji)
        let path = "/emojivoto.v1.VotingService/Vote\(found.methodName)"
        _ = try await voting.call(path, returning: [String: String].self)
        return found
    }

    private func find(_ shortcode: String, _ emoji: BackEnd) async throws -> Emoji {
        try await emoji.call(
            "/emojivoto.v1.EmojiService/FindByShortcode", EmojiCommand.Shortcode(shortcode: shortcode))
    }

    /// One question for the results and one for each of them: a fan-out for the mesh to show.
    private func leaders(_ emoji: BackEnd, _ voting: BackEnd) async throws -> [Leader] {
        let results = try await voting.call(
            "/emojivoto.v1.VotingService/Results", returning: [VotingCommand.Result].self)
        var leaders: [Leader] = []
        for result in results {
            let found = try await find(result.shortcode, emoji)
            leaders.append(Leader(shortcode: found.shortcode, unicode: found.unicode, votes: result.votes))
        }
        return leaders
    }
}
