// SPDX-License-Identifier: Apache-2.0

/// What the supervisor tells whoever started it, one JSON object a line.
package enum StartProgress: Codable, Hashable, Sendable {
    /// What it is doing now.
    case step(String)
    /// So many pods are ready; names of the others.
    case pods(ready: Int, of: Int)
    /// The cluster serves; the names of pods that are not ready, which it goes on trying.
    case up(unready: [String])
    /// It gave up, and nothing is left.
    case failed(String)
}

/// What a supervisor needs beyond the plan.
package struct SupervisorSettings: Codable, Hashable, Sendable {
    /// The `apus-agent` program.
    package var agentProgram: String
    /// Further arguments for each agent.
    package var agentArguments: [String]
    /// Seconds until agents, and then pods, must be ready.
    package var patience: Int

    package init(agentProgram: String, agentArguments: [String] = [], patience: Int = 60) {
        self.agentProgram = agentProgram
        self.agentArguments = agentArguments
        self.patience = patience
    }
}
