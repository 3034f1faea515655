// SPDX-License-Identifier: Apache-2.0

import Kernel
package import Model
package import ProxyLink
import Synchronization
package import Telemetry

/// The ``Accounts`` of this agent, shared by the thread that reads from the proxy and the requests that ask.
///
/// Writers hold the lock for one message, readers for the time to copy a reference: a slow scrape never holds up a reply
/// to the proxy.
package final class TelemetryStore: Sendable {
    private let accounts = Mutex(Accounts())
    private let clock: @Sendable () -> Double

    /// `clock` gives seconds and never steps back.
    package init(clock: @escaping @Sendable () -> Double = { Double(MonotonicClock.now()) / 1e9 }) {
        self.clock = clock
    }

    package func replace(with state: NodeState) {
        let now = clock()
        accounts.withLock { $0.replace(with: state, now: now) }
    }

    package func proxyStarted(instance: UInt64) {
        let now = clock()
        accounts.withLock { $0.proxyStarted(instance: instance, now: now) }
    }

    package func add(_ deltas: [CounterDelta]) {
        let now = clock()
        accounts.withLock { accounts in
            for delta in deltas { accounts.add(delta, now: now) }
        }
    }

    package func add(
        connectionOf pod: StableID, _ direction: Direction, roundTripMicroseconds: UInt64, retransmits: UInt64
    ) {
        let now = clock()
        accounts.withLock {
            $0.add(
                connectionOf: pod, direction, roundTripMicroseconds: roundTripMicroseconds, retransmits: retransmits,
                now: now)
        }
    }

    package func commit() {
        let now = clock()
        accounts.withLock { $0.commit(now: now) }
    }

    /// A copy that no later count changes.
    package func snapshot() -> Accounts { accounts.withLock { $0 } }

    package func report(last seconds: Double, enrolled: Set<StableID>) -> StatReport {
        snapshot().report(last: seconds, enrolled: enrolled, now: clock())
    }
}
