// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix

/// A line protocol in which the server speaks first, as in SMTP or MySQL: what a mesh must not wait for a request in.
struct GreeterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "greeter", abstract: "Greet every connection, then send its lines back.",
        discussion: "PORT   default 7000")

    func run() async throws {
        let port = try Environment.port("PORT", default: 7000)
        let name = Environment.text("HOSTNAME") ?? "greeter"
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Greeting(name: name))
                }
            }
            .bind(host: "0.0.0.0", port: port).get()
        Emojivoto.log.info("greeting on port \(port)")
        signal(SIGTERM, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGTERM)
        source.setEventHandler { server.close(promise: nil) }
        source.resume()
        try await server.closeFuture.get()
        source.cancel()
    }
}

/// Greets, then echoes what comes, as it comes.
private final class Greeting: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let name: String

    init(name: String) { self.name = name }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "220 \(name) is glad to see you\n")), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(data, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
