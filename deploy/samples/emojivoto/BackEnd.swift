// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import ServiceLifecycle

/// A gRPC service as another program calls it: one connection for as long as the program lives.
struct BackEnd: Service {
    let client: GRPCClient<HTTP2ClientTransport.Posix>

    /// - Parameter variable: the environment variable that has `host:port`.
    init(_ variable: String) throws {
        let (host, port) = try Environment.address(variable)
        client = GRPCClient(
            transport: try .http2NIOPosix(
                target: .dns(host: host, port: port), transportSecurity: .plaintext,
                // The default grows to two minutes: long after a back end is there again, nobody would notice.
                config: .defaults { $0.backoff.max = .seconds(2) }))
    }

    /// Keeps the connection until the program is told to end.
    func run() async throws {
        try await withGracefulShutdownHandler {
            try await client.runConnections()
        } onGracefulShutdown: {
            client.beginGracefulShutdown()
        }
    }

    /// What a call that somebody waits for is given.
    static var options: CallOptions {
        var options = CallOptions.defaults
        options.timeout = .seconds(10)
        return options
    }
}

extension RPCError {
    /// For logs and JSON errors.
    var text: String { "\(code): \(message)" }
}
