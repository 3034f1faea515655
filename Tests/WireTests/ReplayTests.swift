// SPDX-License-Identifier: Apache-2.0

import FuzzOracles
import Testing

/// Asks every oracle of everything that fuzzing its target has left behind, and of everything that was written by hand.
@Suite("replay")
struct ReplayTests {
    static let byHand = Sample.http1 + Sample.chunked + Sample.detect + Sample.clientHello + Sample.vectors

    @Test("what was found by fuzzing keeps every property", arguments: Oracle.wire)
    func found(_ oracle: Oracle) {
        let samples = Sample.corpus(oracle.name)
        #expect(samples.count > 20, "there is a corpus")
        replay(samples, oracle)
    }

    @Test("what was written by hand keeps every property of every parser", arguments: Oracle.wire)
    func written(_ oracle: Oracle) { replay(ReplayTests.byHand, oracle) }

    private func replay(_ samples: [Sample], _ oracle: Oracle) {
        for sample in samples {
            do throws(Violation) {
                try oracle.check(sample.bytes)
            } catch {
                Issue.record("\(sample.name): \(error)")
            }
        }
    }
}
