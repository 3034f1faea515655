// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Logging

/// A small voting application in the shape of Linkerd's emojivoto, to look at a mesh with: a web front (HTTP/1.1),
/// two back ends (gRPC), a bot that votes, one vote that always fails, a watcher whose streams never end, and a TCP
/// service whose server speaks first.
@main
struct Emojivoto: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emojivoto",
        abstract: "The sample application's programs, one to a pod.",
        discussion: "Each is configured by environment variables, as its manifest shows.",
        subcommands: [
            WebCommand.self, EmojiCommand.self, VotingCommand.self, VoteBotCommand.self, WatcherCommand.self,
            GreeterCommand.self, GreeterClientCommand.self,
        ])

    static let log = Logger(label: "emojivoto") { StreamLogHandler.standardError(label: $0) }
}
