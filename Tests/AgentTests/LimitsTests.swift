// SPDX-License-Identifier: Apache-2.0

import Model
import Testing

@testable import Agent

@Suite("Limits")
struct LimitsTests {
    @Test("the fuse lets a burst through, then the sustained rate, and never saves up more than a burst")
    func fuse() {
        var fuse = SocketFuse()
        #expect(fuse.take(3_000, now: 0) == 3_000)
        #expect(fuse.take(3_000, now: 0) == 1_000)
        #expect(fuse.take(1, now: 0) == 0)
        #expect(fuse.take(5_000, now: 0.1) == 2_000)
        #expect(fuse.take(100_000, now: 1_000) == 4_000)
    }

    @Test("the first deaths cost no waiting, the third in ten seconds does, and more each time")
    func crashes() {
        var budget = CrashBudget()
        #expect(budget.died(at: 0) == 0)
        #expect(budget.died(at: 1) == 0)
        #expect(budget.died(at: 2) == 1)
        #expect(budget.died(at: 3) == 2)
        #expect(budget.died(at: 5) == 4)
        #expect(budget.died(at: 9) == 8)
        #expect(budget.died(at: 9.5) == 8)
        #expect(budget.died(at: 30) == 0, "it has lived long enough")
    }

    @Test("wants are merged, and one of them never exceeds what a message can carry")
    func needs() {
        let needs = SocketNeeds()
        let need = SocketNeed(pod: StableID(rawValue: 1), ipv6: false, worker: 0)
        #expect(needs.add(need, 16), "the first one must be fetched")
        #expect(!needs.add(need, 16))
        #expect(!needs.add(need, 65_535))
        #expect(needs.take() == [need: Reconciler.socketsPerMessage])
        #expect(needs.take().isEmpty)
        #expect(needs.add(need, 1))
    }
}
