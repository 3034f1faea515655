// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import GRPCProtobuf
import SwiftProtobuf

/// `emojivoto.v1.VotingService`. Its hundred votes are one function under a hundred names, so they are registered in a
/// loop instead of by generated stubs.
struct VotingService: RegistrableRPCService {
    typealias Methods = Emojivoto_V1_VotingService.Method

    let poll: Poll
    /// The share of all votes that fail. Without one the doughnut always fails, and nothing else does.
    var failureRate: Double?
    var delay: Duration?

    /// The method to vote for an emoji by, `nil` if there is none.
    static func method(_ emoji: Emoji) -> MethodDescriptor? { votes[emoji.methodName] }

    private static let votes = Dictionary(
        uniqueKeysWithValues: Methods.descriptors.filter { $0.method.hasPrefix("Vote") }.map {
            ($0.method.dropFirst("Vote".count), $0)
        }
    ).reduce(into: [String: MethodDescriptor]()) { $0[String($1.key)] = $1.value }

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        for emoji in Emoji.all {
            guard let method = VotingService.method(emoji) else { continue }
            router.unary(method) { (_: Emojivoto_V1_VoteRequest) in
                try await vote(emoji)
                return Emojivoto_V1_VoteResponse()
            }
        }
        router.unary(Methods.Results.descriptor) { (_: Emojivoto_V1_ResultsRequest) in
            let results = await poll.results
            return Emojivoto_V1_ResultsResponse.with { $0.results = results.map(\.message) }
        }
        router.registerHandler(
            forMethod: Methods.WatchResults.descriptor,
            deserializer: ProtobufDeserializer<Emojivoto_V1_WatchResultsRequest>(),
            serializer: ProtobufSerializer<Emojivoto_V1_WatchResultsResponse>()
        ) { _, _ in
            StreamingServerResponse { writer in
                try await watch(writer)
                return [:]
            }
        }
    }

    private func vote(_ emoji: Emoji) async throws {
        if let delay { try await Task.sleep(for: delay) }
        let share = failureRate ?? (emoji.shortcode == ":doughnut:" ? 1 : 0)
        if Double.random(in: 0..<1) < share { throw RPCError(code: .unknown, message: "ERROR") }
        await poll.vote(emoji.shortcode)
    }

    /// Ends only with the caller or with the server.
    private func watch(_ writer: RPCWriter<Emojivoto_V1_WatchResultsResponse>) async throws {
        let (changes, end) = await poll.watch()
        try await withRPCCancellationHandler {
            var version: UInt64 = 0
            for await _ in changes {
                let (results, latest) = await poll.changes(since: version)
                version = latest
                try await writer.write(.with { $0.results = results.map(\.message) })
            }
        } onCancelRPC: {
            end()
        }
        throw RPCError(code: .unavailable, message: "this server ends; watch another one")
    }
}

extension Poll.Result {
    /// What travels.
    fileprivate var message: Emojivoto_V1_VotingResult {
        .with {
            $0.shortcode = shortcode
            $0.votes = votes
        }
    }

    init(_ message: Emojivoto_V1_VotingResult) {
        self.init(shortcode: message.shortcode, votes: message.votes)
    }
}

extension RPCRouter {
    /// Registers a method with one question and one answer.
    fileprivate mutating func unary<Question: Message, Answer: Message>(
        _ method: MethodDescriptor, _ body: @escaping @Sendable (Question) async throws -> Answer
    ) {
        registerHandler(
            forMethod: method, deserializer: ProtobufDeserializer<Question>(), serializer: ProtobufSerializer<Answer>()
        ) { request, _ in
            let question = try await ServerRequest(stream: request).message
            return StreamingServerResponse(single: ServerResponse(message: try await body(question)))
        }
    }
}
