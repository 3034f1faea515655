// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Logging
import NIOCore
import NIOPosix

/// Visits the greeter again and again, and says how long the greeting took.
struct GreeterClientCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "greeter-client", abstract: "Visit the greeter regularly.",
        discussion: """
            GREETER_HOST   host:port (required)
            INTERVAL       between visits; default 1s
            LINES          lines to send on each visit; default 3
            """)

    func run() async throws {
        let (host, port) = try Environment.address("GREETER_HOST")
        let interval = try Environment.duration("INTERVAL") ?? .seconds(1)
        let lines = Int(try Environment.number("LINES", in: 0...1_000_000, default: 3))
        while true {
            do {
                let taken = try await visit(host, port, lines: lines)
                Emojivoto.log.info("greeted", metadata: ["after": "\(taken)"])
            } catch {
                Emojivoto.log.warning("no greeting", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: interval)
        }
    }

    private struct Silence: Error {}

    /// - Returns: the time from before the connection to the greeting.
    private func visit(_ host: String, _ port: Int, lines: Int) async throws -> Duration {
        let clock = ContinuousClock()
        let start = clock.now
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var bytes = inbound.makeAsyncIterator()
            guard try await bytes.next() != nil else { throw Silence() }
            let taken = clock.now - start
            for number in 0..<lines {
                let line = "line \(number)\n"
                try await outbound.write(ByteBuffer(string: line))
                var missing = line.utf8.count
                while missing > 0 {
                    guard let echo = try await bytes.next() else { throw Silence() }
                    missing -= echo.readableBytes
                }
            }
            return taken
        }
    }
}
