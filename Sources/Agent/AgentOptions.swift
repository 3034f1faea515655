// SPDX-License-Identifier: Apache-2.0

/// What the command line of `apus-agent` says.
package struct AgentOptions: Sendable {
    /// The static configuration.
    package var statePath: String
    /// `nil`: the name in the file.
    package var node: String?
    /// Of `proxy.sock`, the proxy's number and the last good state. `nil`: `/run/apus/NODE`.
    package var runDirectory: String?
    /// Of the compiled BPF programs. `nil`: `../lib/apus` beside the program, or where the program is.
    package var bpfDirectory: String?
    /// `nil`: `/sys/fs/bpf/apus/NODE`.
    package var pinDirectory: String?
    /// The cgroup2 directory that holds the pods. `nil`: the root of cgroup2.
    package var cgroup: String?
    package var adminHost: String
    package var adminPort: Int
    /// `nil`: `apus-proxy` beside the program.
    package var proxy: String?
    /// `nil`: as many as the proxy thinks right.
    package var workers: Int?
    /// Whether interception and proxy stay when the agent is told to end.
    package var keep: Bool

    package init(
        statePath: String, node: String? = nil, runDirectory: String? = nil, bpfDirectory: String? = nil,
        pinDirectory: String? = nil, cgroup: String? = nil, adminHost: String = "0.0.0.0", adminPort: Int = 4191,
        proxy: String? = nil, workers: Int? = nil, keep: Bool = false
    ) {
        self.statePath = statePath
        self.node = node
        self.runDirectory = runDirectory
        self.bpfDirectory = bpfDirectory
        self.pinDirectory = pinDirectory
        self.cgroup = cgroup
        self.adminHost = adminHost
        self.adminPort = adminPort
        self.proxy = proxy
        self.workers = workers
        self.keep = keep
    }
}
