// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LocalCluster

/// `apus local down`
struct LocalDown: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "End the cluster and remove all that is left of it.",
        discussion: """
            Safe at any time: it also clears up after a crash, and finding nothing is no error.

            EXAMPLES
              apus local down
            """)

    @OptionGroup var state: StateOptions

    func run() async throws {
        let found = try await state.control.down()
        Terminal.shared.print(found ? "the cluster has ended; nothing is left" : "there was no cluster")
    }
}
