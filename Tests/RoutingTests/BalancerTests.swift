// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import Routing
import Testing

@Suite struct BalancerTests {
    static func endpoints(_ count: Int) -> [Endpoint] {
        (0..<count).map { Endpoint(SocketAddress(IPAddress(v4: 0x0a00_0001 + UInt32($0)), 80)) }
    }

    /// Sends `count` requests one after the other; `latency` tells each endpoint's, in milliseconds.
    static func run(
        _ balancer: inout Balancer, _ count: Int, from start: UInt64 = 1_000_000_000, latency: (Int) -> Double
    ) -> [Int] {
        var shares = [Int](repeating: 0, count: balancer.count)
        var now = start
        for _ in 0..<count {
            guard let index = balancer.pick(now: now) else { return shares }
            balancer.begin(index)
            let taken = UInt64(latency(index) * 1e6)
            now += taken + 1_000_000
            balancer.end(index, latency: taken, now: now)
            shares[index] += 1
        }
        return shares
    }

    @Test("endpoints of the same speed get even shares", arguments: [2, 3, 10])
    func even(count: Int) {
        var balancer = Balancer(seed: 7)
        balancer.update(Self.endpoints(count))
        let shares = Self.run(&balancer, 1000 * count) { 2 + Double($0 % 3) * 0.1 }
        for share in shares { #expect((850...1150).contains(share)) }
    }

    @Test("an endpoint that is 50 ms slower gets less than a fifth")
    func slow() {
        var balancer = Balancer(seed: 8)
        balancer.update(Self.endpoints(2))
        let shares = Self.run(&balancer, 1000) { $0 == 0 ? 52 : 2 }
        #expect(shares[0] < 200 && shares[0] > 0)
    }

    @Test("an endpoint that was slow once is tried again")
    func recovers() {
        var balancer = Balancer(seed: 9)
        balancer.update(Self.endpoints(2))
        var isFirst = true
        let shares = Self.run(&balancer, 60_000) { index in
            defer { if index == 0 { isFirst = false } }
            return index == 0 && isFirst ? 500 : 1
        }
        #expect(shares[0] > 5_000)
    }

    @Test("with requests under way the endpoint with fewer of them is chosen")
    func load() throws {
        var balancer = Balancer(seed: 10)
        balancer.update(Self.endpoints(2))
        _ = Self.run(&balancer, 20) { _ in 2 }
        for _ in 0..<10 { balancer.begin(0) }
        for _ in 0..<10 { #expect(balancer.pick(now: 2_000_000_000) == 1) }
    }

    @Test("an endpoint that cannot be connected rests, and is used if there is no other")
    func rests() {
        var balancer = Balancer(seed: 11)
        balancer.update(Self.endpoints(3))
        balancer.fail(1, now: 1_000)
        for _ in 0..<200 { #expect(balancer.pick(now: 2_000) != 1) }
        #expect(balancer.pick(now: 2_000, avoiding: 0b101) == 1)
        var found = false
        for _ in 0..<200 { found = found || balancer.pick(now: 1_000 + Balancer.firstRest + 1) == 1 }
        #expect(found)
    }

    @Test("what is avoided is not chosen, and nothing is left when all are")
    func avoiding() {
        var balancer = Balancer(seed: 12)
        balancer.update(Self.endpoints(3))
        for _ in 0..<100 { #expect(balancer.pick(now: 1, avoiding: 0b011) == 2) }
        #expect(balancer.pick(now: 1, avoiding: 0b111) == nil)
        balancer.update(Self.endpoints(1))
        #expect(balancer.pick(now: 1, avoiding: 1) == nil)
        balancer.update([])
        #expect(balancer.pick(now: 1) == nil && balancer.readyCount == 0)
    }

    @Test("only ready endpoints that are still there are chosen, whatever the order of updates")
    func updates() {
        var balancer = Balancer(seed: 13)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let all = Self.endpoints(6).shuffled(using: &random).prefix(Int.random(in: 0...6, using: &random)).map {
                Endpoint($0.address, ready: Bool.random(using: &random))
            }
            balancer.update(all)
            let ready = Set(all.filter(\.ready).map(\.address))
            for _ in 0..<20 {
                let index = balancer.pick(now: 5)
                #expect((index == nil) == ready.isEmpty)
                if let index { #expect(ready.contains(balancer.address(index))) }
            }
        }
        #expect(balancer.count <= 12)
    }

    @Test("a candidate keeps its place while a request is on its way, also when it has left")
    func indexIsKept() {
        var balancer = Balancer(seed: 14)
        let two = Self.endpoints(2)
        balancer.update([two[0]])
        balancer.begin(0)
        balancer.update([two[1]])
        #expect(balancer.address(0) == two[0].address && balancer.pick(now: 1) == 1)
        balancer.end(0, latency: 1_000, now: 2)
        balancer.update([two[1], Endpoint(SocketAddress(.loopbackV4, 9))])
        #expect(balancer.address(0) == SocketAddress(.loopbackV4, 9))
    }
}
