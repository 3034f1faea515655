// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import NIOCore
import ServiceLifecycle

/// What all HTTP programs here share: a server on every address that ends gracefully on TERM.
enum Server {
    /// Serves until TERM or INT, while `services` run.
    static func run(
        _ router: Router<BasicRequestContext>, port: Int, with services: [any Service]
    ) async throws {
        var app = application(router, port: port)
        app.addServices(services)
        try await app.runService()
    }

    /// A server to run beside others.
    static func application(_ router: Router<BasicRequestContext>, port: Int) -> Application<
        RouterResponder<BasicRequestContext>
    > {
        Application(
            router: router, configuration: .init(address: .hostname("0.0.0.0", port: port), serverName: nil),
            logger: Emojivoto.log)
    }

    /// A JSON answer.
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return answer(ByteBuffer(bytes: try encoder.encode(value)), "application/json", status)
    }

    /// A page.
    static func html(_ text: String) -> Response { answer(ByteBuffer(string: text), "text/html; charset=utf-8", .ok) }

    private static func answer(_ body: ByteBuffer, _ type: String, _ status: HTTPResponse.Status) -> Response {
        Response(status: status, headers: [.contentType: type], body: .init(byteBuffer: body))
    }
}

/// What went wrong, as every JSON error here says it.
struct ErrorBody: Codable, Sendable {
    var error: String
}
