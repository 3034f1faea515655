// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import SwiftProtobuf

/// `emojivoto.v1.EmojiService` as others call it.
struct EmojiBackEnd: Sendable {
    private let stub: Emojivoto_V1_EmojiService.Client<HTTP2ClientTransport.Posix>

    init(_ backEnd: BackEnd) { stub = .init(wrapping: backEnd.client) }

    func list() async throws -> [Emoji] {
        try await stub.listAll(.init(), options: BackEnd.options).list.map(Emoji.init)
    }

    func find(_ shortcode: String) async throws -> Emoji {
        let answer = try await stub.findByShortcode(.with { $0.shortcode = shortcode }, options: BackEnd.options)
        return Emoji(answer.emoji)
    }
}
