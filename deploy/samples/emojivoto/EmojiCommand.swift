// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GRPCCore
import SwiftProtobuf

/// Which emoji there are.
struct EmojiCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emoji-svc", abstract: "Serve the list of emoji.", discussion: "GRPC_PORT   default 8080")

    func run() async throws {
        try await CallServer.run([EmojiService()], port: Environment.port("GRPC_PORT", default: 8080))
    }
}

/// `emojivoto.v1.EmojiService`
struct EmojiService: Emojivoto_V1_EmojiService.SimpleServiceProtocol {
    private static let byShortcode = Dictionary(uniqueKeysWithValues: Emoji.all.map { ($0.shortcode, $0) })

    func listAll(
        request: Emojivoto_V1_ListAllRequest, context: ServerContext
    ) async throws -> Emojivoto_V1_ListAllResponse {
        .with { $0.list = Emoji.listed.map(\.message) }
    }

    func findByShortcode(
        request: Emojivoto_V1_FindByShortcodeRequest, context: ServerContext
    ) async throws -> Emojivoto_V1_FindByShortcodeResponse {
        guard let emoji = EmojiService.byShortcode[request.shortcode] else {
            throw RPCError(code: .notFound, message: "no emoji is called \(request.shortcode)")
        }
        return .with { $0.emoji = emoji.message }
    }
}

extension Emoji {
    /// What travels.
    fileprivate var message: Emojivoto_V1_Emoji {
        .with {
            $0.shortcode = shortcode
            $0.unicode = unicode
        }
    }

    init(_ message: Emojivoto_V1_Emoji) {
        shortcode = message.shortcode
        unicode = message.unicode
    }
}
