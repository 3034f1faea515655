// SPDX-License-Identifier: Apache-2.0

/// The votes of this process, and whoever watches them.
actor Poll {
    /// Votes for one emoji.
    struct Result: Equatable, Sendable {
        var shortcode: String
        var votes: Int64
    }

    private struct Count {
        var votes: Int64 = 0
        /// The number of the last vote for it, over all emoji.
        var changed: UInt64 = 0
    }

    private var counts: [String: Count] = [:]
    private var version: UInt64 = 0
    private var watchers: [UInt64: AsyncStream<Void>.Continuation] = [:]
    private var lastWatcher: UInt64 = 0

    /// Counts a vote.
    func vote(_ shortcode: String) {
        version += 1
        counts[shortcode, default: Count()].votes += 1
        counts[shortcode]?.changed = version
        for watcher in watchers.values { watcher.yield() }
    }

    /// Most votes first.
    var results: [Result] { changes(since: 0).results }

    /// What has changed since a version, most votes first, and the version that this is.
    func changes(since version: UInt64) -> (results: [Result], version: UInt64) {
        let results = counts.filter { $0.value.changed > version }
            .map { Result(shortcode: $0.key, votes: $0.value.votes) }
            .sorted { ($1.votes, $0.shortcode) < ($0.votes, $1.shortcode) }
        return (results, self.version)
    }

    /// An element now and one whenever something has changed since the last was taken, until `end` is called or the
    /// reader goes. However slow the reader is, no more than one element waits for it.
    func watch() -> (changes: AsyncStream<Void>, end: @Sendable () -> Void) {
        lastWatcher += 1
        let id = lastWatcher
        let (changes, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        watchers[id] = continuation
        continuation.onTermination = { _ in Task { await self.forget(id) } }
        continuation.yield()
        return (changes, { continuation.finish() })
    }

    private func forget(_ id: UInt64) { watchers[id] = nil }

    /// How many watch.
    var watcherCount: Int { watchers.count }

    /// The page for Prometheus.
    var metrics: String {
        let lines = counts.sorted { $0.key < $1.key }.map {
            "emojivoto_votes_total{emoji=\"\($0.key)\"} \($0.value.votes)\n"
        }
        return "# HELP emojivoto_votes_total Votes counted.\n# TYPE emojivoto_votes_total counter\n" + lines.joined()
            + "# HELP emojivoto_watchers Streams of results that are open.\n# TYPE emojivoto_watchers gauge\n"
            + "emojivoto_watchers \(watchers.count)\n"
    }
}
