// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LocalCluster

/// Which agents a command asks: those named, else those of this machine's cluster.
struct AgentOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "An agent to ask, port 4191 unless said. Repeatable. Default: all agents of the local cluster.",
            valueName: "host:port"))
    var agent: [String] = []

    @OptionGroup var state: StateOptions

    func validate() throws {
        for text in agent {
            let valid = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x2f && $0 != 0x40 }
            guard valid else { throw ValidationError("--agent \(text.visible): write HOST:PORT") }
        }
    }

    /// Throws if there is nobody to ask.
    func agents() throws -> [Agent] {
        if !agent.isEmpty { return agent.map { Agent(address: AgentOptions.withPort($0)) } }
        guard let directory = state.control.directory else {
            throw CommandError(
                "there is no cluster to ask: apus local up makes one on this machine, --agent HOST:PORT asks any agent")
        }
        let agents = directory.nodes.compactMap { node in node.agent.map { Agent(address: $0) } }
        guard !agents.isEmpty else {
            throw CommandError("the local cluster runs without a mesh (--no-mesh), so nothing is measured")
        }
        return agents
    }

    /// `10.0.0.1` and `::1` get the port that agents listen on.
    static func withPort(_ text: String) -> String {
        if text.hasPrefix("[") { return text.hasSuffix("]") ? "\(text):4191" : text }
        switch text.count(where: { $0 == ":" }) {
        case 0: return "\(text):4191"
        case 1: return text
        default: return "[\(text)]:4191"
        }
    }
}
