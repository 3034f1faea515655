// SPDX-License-Identifier: Apache-2.0

/// A generator whose every number follows from the seed (SplitMix64).
struct Random {
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

/// Changes bytes the way attackers do: a few small edits, often with what smuggling is made of.
struct Mutator {
    var random: Random

    /// Fragments that have parted parsers before.
    private static let fragments = [
        "\r\n", "\n", "\r", " ", "\t", ":", ",", ";", "\0", "\u{b}", "0", "5", "+", "-", "0x", "chunked", "\r\n ",
        "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n", "Host: b\r\n",
        "\r\n\r\n", "0\r\n\r\n", " HTTP/1.1\r\n", "GET ", "http://", "\"", "\\", "%", "X: ", "Connection: close\r\n",
    ].map { Array($0.utf8) }

    init(seed: UInt64) { random = Random(seed: seed) }

    mutating func mutate(_ original: [UInt8]) -> [UInt8] {
        var bytes = original
        for _ in 0...random.below(3) {
            let place = random.below(bytes.count + 1)
            let end = min(bytes.count, place + 1 + random.below(8))
            switch random.below(6) {
            case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(random.below(8))
            case 1 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: random.below(bytes.count + 1))
            default: bytes.insert(contentsOf: Self.fragments[random.below(Self.fragments.count)], at: place)
            }
        }
        return bytes
    }
}
