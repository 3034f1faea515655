// SPDX-License-Identifier: Apache-2.0

import ProxyLink

/// Requests and streams that have begun and not ended.
///
/// They are kept under the proxy's own key and not under the one that they are counted under: a limit on series may be
/// reached, or left, between the begin and the end of a request, and then the two would not cancel out.
struct LiveRequests: Sendable {
    /// The most keys with an authority of their own; what begins beyond them is kept without one.
    static let maximumKeys = 2 * Accounts.maximumSeries

    private(set) var counts: [HTTPSeriesKey: Int] = [:]

    /// Adds what one worker reports. A sum is meaningful once all workers have reported: see ``settle()``.
    mutating func add(_ change: Int32, to key: HTTPSeriesKey) {
        if change == 0 { return }
        let isKept = counts[key] != nil || counts.count < LiveRequests.maximumKeys
        counts[isKept ? key : key.withoutAuthority, default: 0] &+= Int(change)
    }

    /// All workers have reported: what has no open request is forgotten.
    mutating func settle() { counts = counts.filter { $0.value > 0 } }

    /// Keeps only what `isKept` accepts.
    mutating func keep(where isKept: (HTTPSeriesKey) -> Bool) { counts = counts.filter { isKept($0.key) } }

    /// Forgets everything: a new link to a proxy tells all that is open.
    mutating func removeAll() { counts = [:] }
}
