// SPDX-License-Identifier: Apache-2.0

/// Limits how many sockets the proxy gets for one pod.
///
/// Every upstream connection needs one, so a pod whose traffic runs in a circle through the proxy shows up as an endless
/// demand: the fuse turns a node on fire into one pod with errors.
struct SocketFuse {
    /// Sockets a second, sustained: twice what one worker can connect.
    static let rate = 20_000.0
    /// Sockets at once.
    static let burst = 4_000.0

    private var available = SocketFuse.burst
    private var filledAt: Double?

    /// How many of `count` sockets may be made now; `now` is in seconds.
    mutating func take(_ count: Int, now: Double) -> Int {
        if let filledAt { available = min(SocketFuse.burst, available + (now - filledAt) * SocketFuse.rate) }
        filledAt = now
        let taken = min(Double(count), available.rounded(.down))
        available -= taken
        return Int(taken)
    }
}
