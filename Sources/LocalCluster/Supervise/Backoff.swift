// SPDX-License-Identifier: Apache-2.0

/// How long to wait before starting a process again: half a second, doubling up to 30 s, as the kubelet does but
/// quicker, since here somebody is watching.
struct Backoff {
    private var next: Duration = .milliseconds(500)

    /// The pause after a run that lasted `run`. A process that had served for a minute starts afresh.
    mutating func pause(after run: Duration) -> Duration {
        if run > .seconds(60) { next = .milliseconds(500) }
        defer { next = min(next * 2, .seconds(30)) }
        return next
    }
}
