// SPDX-License-Identifier: Apache-2.0

import BPF
import Redirect
import TestSupport
import Testing

@Suite(.enabled(if: TestRequirement.root, Comment(rawValue: TestRequirement.rootReason)))
struct KernelProbeTests {
    @Test("a machine on which the other tests run has everything")
    func here() {
        let features = KernelProbe.run(cgroupPath: TestLeftovers.cgroupRoot)
        let missing = features.filter { !$0.present }
        #expect(missing.isEmpty)
        #expect(KernelProbe.refusal(features) == nil)
        #expect(features.allSatisfy { !$0.cost.isEmpty })
    }

    @Test("a wrong cgroup directory is refused in one sentence")
    func noCgroup() throws {
        let refusal = try #require(KernelProbe.refusal(KernelProbe.run(cgroupPath: "/proc")))
        #expect(refusal.contains("cgroup2 directory /proc is missing"))
        #expect(!refusal.contains("\n"))
    }

    @Test("helpers that a kind of program may not call are found absent")
    func helpers() {
        #expect(!BPFProbe.supports(.assignSocket, in: .connect))
        #expect(!BPFProbe.supports(.setSocketOption, in: .lookup))
        #expect(BPFProbe.supports(.setSocketOption, in: .connect))
    }
}
