// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Telemetry

/// One node's agent, asked over its admin API.
struct Agent: Hashable, Sendable {
    /// `host:port`
    let address: String

    /// What the agent's pods did in the last `window` seconds.
    func stat(window: Int) async throws -> StatReport {
        let response = try await get("/api/v1/stat?window=\(window)", timeout: .seconds(10))
        let body = try await response.body.collect(upTo: 256 << 20)
        do {
            return try JSONDecoder().decode(StatReport.self, from: Data(body.readableBytesView))
        } catch {
            throw CommandError("agent \(address) answers something else than statistics: is it of another version?")
        }
    }

    /// What happens at the agent's pods, until it ends or the task is cancelled.
    func tap(_ query: TapQuery, maxRPS: Int, _ each: (TapReport) -> Void) async throws {
        let response = try await get("/api/v1/tap?\(query.parameters(maxRPS: maxRPS))", timeout: .hours(24 * 365))
        var lines = LineBuffer()
        for try await chunk in response.body {
            for line in lines.add(chunk.readableBytesView) {
                guard let report = try? JSONDecoder().decode(TapReport.self, from: line) else {
                    throw CommandError("agent \(address) sends something else than taps: is it of another version?")
                }
                each(report)
            }
        }
    }

    private func get(_ path: String, timeout: TimeAmount) async throws -> HTTPClientResponse {
        let response: HTTPClientResponse
        do {
            response = try await Agent.client.execute(
                HTTPClientRequest(url: "http://\(address)\(path)"), timeout: timeout)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw CommandError("agent \(address) does not answer: \(Agent.brief(error))")
        }
        guard response.status == .ok else {
            let body = (try? await response.body.collect(upTo: 1 << 16)).map { Data($0.readableBytesView) } ?? Data()
            let said = (try? JSONDecoder().decode([String: String].self, from: body))?["error"]
            let text = (said ?? "status \(response.status.code)").visible
            if response.status == .notFound { throw NotHere(said: text) }
            throw CommandError("agent \(address) says: \(text)")
        }
        return response
    }

    /// The agent's node has none of what is asked for.
    struct NotHere: Error { let said: String }

    /// One line of an error that may be long.
    private static func brief(_ error: any Error) -> String {
        if let error = error as? HTTPClientError { return error.description.replacing("HTTPClientError.", with: "") }
        let text = "\(error)"
        if text.contains("Connection refused") { return "connection refused" }
        return String(text.prefix(160)).visible
    }

    /// The process is short-lived: the client lives as long.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout = .init(connect: .seconds(3))
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
}

/// Cuts a stream of bytes into lines.
struct LineBuffer {
    private var rest = Data()

    /// Takes bytes and gives the lines that are whole now, without newlines and without empty ones.
    mutating func add(_ bytes: some Sequence<UInt8>) -> [Data] {
        rest.append(contentsOf: bytes)
        var lines: [Data] = []
        var start = rest.startIndex
        while let newline = rest[start...].firstIndex(of: 0x0a) {
            if newline > start { lines.append(Data(rest[start..<newline])) }
            start = rest.index(after: newline)
        }
        rest = Data(rest[start...])
        return lines
    }
}
