// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import GRPCProtobuf
import SwiftProtobuf

/// `emojivoto.v1.VotingService` as others call it.
struct VotingBackEnd: Sendable {
    private typealias Methods = Emojivoto_V1_VotingService.Method

    let backEnd: BackEnd

    init(_ backEnd: BackEnd) { self.backEnd = backEnd }

    func vote(for emoji: Emoji) async throws {
        guard let method = VotingService.method(emoji) else {
            throw RPCError(code: .unimplemented, message: "nobody can vote for \(emoji.shortcode)")
        }
        let _: Emojivoto_V1_VoteResponse = try await unary(method, Emojivoto_V1_VoteRequest())
    }

    func results() async throws -> [Poll.Result] {
        let answer: Emojivoto_V1_ResultsResponse = try await unary(
            Methods.Results.descriptor, Emojivoto_V1_ResultsRequest())
        return answer.results.map(Poll.Result.init)
    }

    /// Calls `body` with all results, and again with those that changed, for as long as the service goes on.
    func watch(_ body: @escaping @Sendable ([Poll.Result]) async throws -> Void) async throws {
        try await backEnd.client.serverStreaming(
            request: ClientRequest(message: Emojivoto_V1_WatchResultsRequest()),
            descriptor: Methods.WatchResults.descriptor,
            serializer: ProtobufSerializer<Emojivoto_V1_WatchResultsRequest>(),
            deserializer: ProtobufDeserializer<Emojivoto_V1_WatchResultsResponse>(), options: .defaults
        ) { response in
            for try await message in response.messages { try await body(message.results.map(Poll.Result.init)) }
        }
    }

    private func unary<Question: Message, Answer: Message>(
        _ method: MethodDescriptor, _ question: Question
    ) async throws -> Answer {
        try await backEnd.client.unary(
            request: ClientRequest(message: question), descriptor: method,
            serializer: ProtobufSerializer<Question>(), deserializer: ProtobufDeserializer<Answer>(),
            options: BackEnd.options
        ) { try $0.message }
    }
}
