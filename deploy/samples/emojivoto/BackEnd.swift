// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// A service as another program calls it: `POST /emojivoto.v1.Service/Method` with JSON both ways, over kept-alive
/// connections.
struct BackEnd: Sendable {
    /// `host:port`
    let host: String

    /// An answer that is not 200.
    struct Failed: Error, CustomStringConvertible {
        let description: String
        let status: UInt
    }

    private struct Nothing: Codable {}

    func call<Answer: Decodable>(_ path: String, returning type: Answer.Type = Answer.self) async throws -> Answer {
        try await call(path, Nothing())
    }

    func call<Answer: Decodable>(
        _ path: String, _ question: some Encodable, returning type: Answer.Type = Answer.self
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://\(host)\(path)")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(try JSONEncoder().encode(question))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
        let body = try await response.body.collect(upTo: 1 << 20)
        guard response.status.code == 200 else {
            throw Failed(
                description: "\(path): \(response.status.code) \(String(buffer: body))", status: response.status.code)
        }
        return try JSONDecoder().decode(Answer.self, from: Data(body.readableBytesView))
    }
}
