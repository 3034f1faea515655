// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import HTTPTypes
import Hummingbird
package import Logging
import NIOCore
import ServiceLifecycle
import Telemetry

/// The agent's HTTP server: health, metrics, and what `apus` asks.
package struct AdminServer: Service {
    /// Connections at a time; a node has a scraper, a few people and their dashboards.
    static let maximumConnections = 256
    /// The longest request target, in bytes.
    static let maximumTargetBytes = 8192
    /// Seconds after which an idle connection is closed.
    static let idleSeconds: Int64 = 120
    /// Windows that `/api/v1/stat` answers for, in seconds.
    static let windows = 1...600

    private let host: String
    private let port: Int
    private let source: any AdminSource
    private let taps: TapHub
    private let log: Logger
    private let onRunning: @Sendable (Int) async -> Void

    /// `onRunning` is told the port, which for `port` 0 the kernel has chosen.
    package init(
        host: String, port: Int, source: any AdminSource, taps: TapHub, log: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.source = source
        self.taps = taps
        self.log = log
        self.onRunning = onRunning
    }

    package func run() async throws {
        var quiet = log
        quiet.logLevel = max(log.logLevel, .notice)
        let onRunning = onRunning
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in await respond(to: request) },
            server: .http1(configuration: .init(idleTimeout: .seconds(AdminServer.idleSeconds))),
            configuration: .init(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: .maximum(AdminServer.maximumConnections, logger: quiet)),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? 0) },
            logger: quiet)
        let taps = taps
        try await withGracefulShutdownHandler {
            do {
                try await application.run()
            } catch let error as IOError {
                let reason = String(cString: strerror(error.errnoCode)).lowercased()
                throw Agent.Refusal(description: "the admin server cannot listen on \(host):\(port): \(reason)")
            }
        } onGracefulShutdown: {
            // Else the server would wait for readers that have no reason to go.
            taps.closeAll()
        }
    }

    // MARK: Routes

    private func respond(to request: Request) async -> Response {
        guard request.uri.description.utf8.count <= AdminServer.maximumTargetBytes else {
            return AdminServer.error(
                .badRequest, "the request target is longer than \(AdminServer.maximumTargetBytes) bytes")
        }
        switch request.uri.path {
        case "/live", "/ready", "/metrics", "/api/v1/status", "/api/v1/stat", "/api/v1/tap": break
        default: return AdminServer.error(.notFound, "no such page: \(request.uri.path)")
        }
        guard request.method == .get else {
            return AdminServer.error(.methodNotAllowed, "only GET is answered here")
        }
        let query = AdminServer.parameters(request.uri.query ?? "")
        switch request.uri.path {
        case "/live": return AdminServer.text(.ok, "live\n")
        case "/ready":
            let obstacles = await source.obstacles()
            if obstacles.isEmpty { return AdminServer.text(.ok, "ready\n") }
            return AdminServer.text(.serviceUnavailable, obstacles.joined(separator: "\n") + "\n")
        case "/metrics":
            let page = await source.metrics()
            return AdminServer.response(.ok, Exposition.contentType, ByteBuffer(bytes: page))
        case "/api/v1/status": return AdminServer.json(await source.status())
        case "/api/v1/stat": return await stat(query)
        default: return tap(request, query)
        }
    }

    private func stat(_ query: [(name: String, value: String)]) async -> Response {
        var window = 60
        for (index, parameter) in query.enumerated() {
            guard parameter.name == "window", index == 0 else {
                return AdminServer.error(.badRequest, "only one window is understood, not \(parameter.name)")
            }
            guard let seconds = Int(parameter.value), AdminServer.windows.contains(seconds) else {
                return AdminServer.error(
                    .badRequest,
                    "window must be a number of seconds from \(AdminServer.windows.lowerBound) to \(AdminServer.windows.upperBound)"
                )
            }
            window = seconds
        }
        return AdminServer.json(await source.stat(window: Double(window)))
    }

    private func tap(_ request: Request, _ query: [(name: String, value: String)]) -> Response {
        let taps = taps
        do throws(TapSelector.Refusal) {
            let selector = try TapSelector(query: query)
            // Opened before the answer begins, so that a wrong request gets its status code.
            let (id, events) = try taps.open(selector)
            return Response(
                status: .ok,
                headers: [.contentType: "application/x-ndjson", .cacheControl: "no-store"],
                body: ResponseBody { writer in
                    defer { taps.close(id) }
                    // An empty piece sends the head at once: the reader learns that the tap runs.
                    try await writer.write(ByteBuffer())
                    try await request.body.consumeWithInboundCloseHandler { _ in
                        let encoder = AdminServer.encoder()
                        for await event in events {
                            var line = ByteBuffer(bytes: try encoder.encode(event))
                            line.writeInteger(UInt8(ascii: "\n"))
                            try await writer.write(line)
                        }
                    } onInboundClosed: {
                        taps.close(id)
                    }
                    try await writer.finish(nil)
                })
        } catch {
            return AdminServer.error(error.isNotFound ? .notFound : .badRequest, error.text)
        }
    }

    // MARK: Answers

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ body: ByteBuffer) -> Response {
        Response(
            status: status, headers: [.contentType: type, .contentLength: "\(body.readableBytes)"],
            body: ResponseBody(byteBuffer: body))
    }

    private static func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
        response(status, "text/plain; charset=utf-8", ByteBuffer(string: text))
    }

    private static func error(_ status: HTTPResponse.Status, _ text: String) -> Response {
        json(["error": text], status)
    }

    private static func json(_ value: some Encodable, _ status: HTTPResponse.Status = .ok) -> Response {
        let data = (try? encoder().encode(value)) ?? Data()
        return response(status, "application/json", ByteBuffer(bytes: data))
    }

    private static func encoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    /// The parameters of a query in order, repeats included.
    static func parameters(_ query: String) -> [(name: String, value: String)] {
        query.split(separator: "&").map { part in
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            func decode(_ text: Substring) -> String {
                let spaced = text.replacing("+", with: " ")
                return spaced.removingPercentEncoding ?? String(text)
            }
            return (decode(sides[0]), sides.count > 1 ? decode(sides[1]) : "")
        }
    }
}
