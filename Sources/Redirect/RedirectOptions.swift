// SPDX-License-Identifier: Apache-2.0

/// Where interception finds its programs and leaves its state.
package struct RedirectOptions: Sendable {
    /// The directory of `connect.bpf.o`, `lookup.bpf.o` and the others.
    package var objectDirectory: String
    /// Maps and links are pinned here, below a bpffs (mounted at `/sys/fs/bpf` if none is there). One for each agent.
    package var pinDirectory: String
    /// The cgroup2 directory that holds the pods.
    package var cgroupPath: String
    /// The cgroup2 directory that this process is to be in: two programs are attached there, which the root cgroup must
    /// not bear. `nil`: where the process is, or, if that is the root, a child made for it.
    package var agentCgroupPath: String?
    /// Told in one line of what is not as it should be but can be lived with. Called on the caller's thread.
    package var log: @Sendable (String) -> Void

    package init(
        objectDirectory: String, pinDirectory: String, cgroupPath: String, agentCgroupPath: String? = nil,
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.objectDirectory = objectDirectory
        self.pinDirectory = pinDirectory
        self.cgroupPath = cgroupPath
        self.agentCgroupPath = agentCgroupPath
        self.log = log
    }
}
