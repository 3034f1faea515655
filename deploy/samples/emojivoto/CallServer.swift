// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Hummingbird
import Logging
import ServiceLifecycle
import UnixSignals

/// What the gRPC programs here share: a server on every address that ends gracefully on TERM.
enum CallServer {
    /// Serves until TERM or INT. With metrics, another port tells them.
    static func run(
        _ services: [any RegistrableRPCService], port: Int,
        metrics: (port: Int, text: @Sendable () async -> String)? = nil
    ) async throws {
        let server = GRPCServer(
            transport: .http2NIOPosix(address: .ipv4(host: "0.0.0.0", port: port), transportSecurity: .plaintext),
            services: services)
        var all: [any Service] = [Calls(server: server)]
        if let metrics {
            let router = Router()
            router.get("/metrics") { _, _ in await metrics.text() }
            all.append(Server.application(router, port: metrics.port))
        }
        Emojivoto.log.info("serving gRPC on port \(port)")
        try await ServiceGroup(
            services: all, gracefulShutdownSignals: [.sigterm, .sigint], logger: Emojivoto.log
        ).run()
    }

    private struct Calls: Service {
        let server: GRPCServer<HTTP2ServerTransport.Posix>

        func run() async throws {
            try await withGracefulShutdownHandler {
                try await server.serve()
            } onGracefulShutdown: {
                server.beginGracefulShutdown()
            }
        }
    }
}
