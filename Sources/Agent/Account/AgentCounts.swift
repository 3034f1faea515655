// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What the agent counts about itself. Any thread adds.
package final class AgentCounts: Sendable {
    let configurationErrors = Count()
    let configurationVersion = Count()
    /// 1 while the file on disk is bad.
    let configurationBad = Count()
    let socketsBrokered = Count()
    let socketsRefusedFuse = Count()
    let socketsRefusedUnknownPod = Count()
    let socketsRefusedError = Count()
    let proxyRestarts = Count()
    let tapEventsSent = Count()
    let tapEventsDropped = Count()

    package init() {}

    /// One number.
    final class Count: Sendable {
        private let number = Atomic<UInt64>(0)

        var value: UInt64 { number.load(ordering: .relaxed) }
        func add(_ count: UInt64) { number.wrappingAdd(count, ordering: .relaxed) }
        func set(_ value: UInt64) { number.store(value, ordering: .relaxed) }
    }
}
