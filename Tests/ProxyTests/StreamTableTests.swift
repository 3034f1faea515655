// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Proxy

@Suite("stream table")
struct StreamTableTests {
    /// Not dereferenced: the table only keeps them.
    static func stream(_ id: UInt32) -> StreamRef { StreamRef(bitPattern: Int(id) * 4096 + 4096)! }

    @Test("agrees with a dictionary through any order of beginnings and ends", arguments: [1, 2, 3])
    func agrees(seed: UInt64) {
        var random = Random(seed: seed)
        var table = StreamTable()
        var model: [UInt32: StreamRef] = [:]
        var next: UInt32 = 1
        for _ in 0..<20_000 {
            if random.below(2) == 0 && model.count < 300 {
                table.insert(next, Self.stream(next))
                model[next] = Self.stream(next)
                next += 2
            } else if let id = model.keys.randomElement(using: &random) {
                table.remove(id)
                model[id] = nil
            }
            let probe = UInt32(random.below(Int(next)))
            guard table.find(probe) == model[probe], table.count == model.count else {
                Issue.record("differs at \(probe)")
                return
            }
        }
        for (id, stream) in model { #expect(table.find(id) == stream) }
        var seen: Set<StreamRef> = []
        table.forEach { seen.insert($0) }
        #expect(seen == Set(model.values))
        while let stream = table.any { table.remove(model.first { $0.value == stream }!.key) }
        let isEmpty = table.isEmpty
        #expect(isEmpty)
    }

    @Test("removing what is not there changes nothing")
    func absent() {
        var table = StreamTable()
        table.remove(1)
        table.insert(3, Self.stream(3))
        table.remove(1)
        table.remove(35)  // the same place as 3
        #expect(table.find(3) == Self.stream(3))
    }
}

/// A generator whose every number follows from the seed (SplitMix64).
struct Random: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }
}
