// SPDX-License-Identifier: Apache-2.0

import Model
import ProxyLink
import Telemetry

typealias TCPSeriesRef = UnsafeMutablePointer<TCPSeries>

/// Connections of one pod, direction, side, peer and service since the last collection.
struct TCPSeries: ~Copyable {
    let key: TCPSeriesKey
    var delta = TCPSeriesDelta()
    /// Connections that point here.
    var users = 0
    var lastUsed: UInt64 = 0

    init(key: TCPSeriesKey) { self.key = key }

    mutating func open(_ now: UInt64) {
        delta.opened &+= 1
        users += 1
        lastUsed = now
    }

    mutating func close(errno: CInt, _ now: UInt64) {
        if let index = delta.closed.firstIndex(where: { $0.errno == errno }) {
            delta.closed[index].count += 1
        } else {
            delta.closed.append(TCPSeriesDelta.Closed(errno: errno, count: 1))
        }
        users -= 1
        lastUsed = now
    }

    /// What has been counted since the last call, or `nil` if that is nothing.
    mutating func takeDelta() -> TCPSeriesDelta? {
        guard delta != TCPSeriesDelta() else { return nil }
        let taken = delta
        delta = TCPSeriesDelta()
        return taken
    }
}
