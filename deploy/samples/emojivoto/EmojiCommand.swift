// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Hummingbird

/// Which emoji there are.
struct EmojiCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "emoji-svc", abstract: "Serve the list of emoji.")

    struct Shortcode: Codable, Sendable { var shortcode: String }

    func run() async throws {
        let all = Dictionary(uniqueKeysWithValues: Emoji.all.map { ($0.shortcode, $0) })
        let router = Router()
        router.post("/emojivoto.v1.EmojiService/ListAll") { _, _ in try Server.json(Emoji.listed) }
        router.post("/emojivoto.v1.EmojiService/FindByShortcode") { request, context in
            let question = try await request.decode(as: Shortcode.self, context: context)
            guard let emoji = all[question.shortcode] else {
                return try Server.json(ErrorBody(error: "no emoji is called \(question.shortcode)"), status: .notFound)
            }
            return try Server.json(emoji)
        }
        try await Server.run(router, port: Environment.port("PORT", default: 8080))
    }
}
