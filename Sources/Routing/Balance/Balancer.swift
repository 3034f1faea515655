// SPDX-License-Identifier: Apache-2.0

package import Addresses
import Glibc
package import Model

/// Chooses an endpoint for each request: the better of two drawn at random, by peak EWMA of latency times load.
///
/// "Power of two choices": M. Mitzenmacher, IEEE TPDS 12(10), 2001. The peak EWMA forgets with a time constant of 10 s and
/// jumps up at once when two responses in a row are slower than the average, so that a bad endpoint is noticed at its second
/// slow answer; one alone is what scheduling does to any of them.
///
/// A candidate keeps its index while requests are on their way to it, also when the endpoint has left the service.
/// For one thread. Does not allocate except in ``update(_:)``.
package struct Balancer: ~Copyable {
    /// One endpoint and what is known of it.
    package struct Candidate {
        package let address: SocketAddress
        /// Takes new requests.
        package var isReady: Bool
        /// Has left the service; goes away at an update when nothing is on its way to it any more.
        package var isRemoved = false
        /// Requests or connections on their way.
        package var pending: Int32 = 0
        /// Average response time, in nanoseconds.
        var average: Double = Balancer.defaultLatency
        /// The last response time, in nanoseconds.
        var last: Double = 0
        /// When ``average`` was last brought up to date, in nanoseconds.
        var updated: UInt64 = 0
        /// Not chosen before this moment unless there is no other: set by a failed connect.
        var restsUntil: UInt64 = 0
        var failures: Int32 = 0
    }

    /// Time constant of the average, in nanoseconds: 10 s, as Linkerd has it.
    package static let decay = 10.0e9
    /// What an endpoint is believed to take before its first answer, in nanoseconds: 30 ms, as Linkerd has it.
    package static let defaultLatency = 30.0e6
    /// Averages that differ by less are the same, in nanoseconds: 5 ms, which is what scheduling on a busy node makes of a
    /// latency. With 1 ms a replica on the caller's own node got 72 % of the calls that two were to share.
    package static let similar = 5.0e6
    /// Endpoints of about the same speed whose requests on their way differ by no more share evenly: with a few callers the
    /// one on their own node is always a little ahead, and got 64 % of what two were to share.
    package static let similarPending: Int32 = 4
    /// How often two are drawn before all are looked at.
    package static let draws = 4
    /// How long an endpoint rests after a failed connect, in nanoseconds; doubled each further time.
    package static let firstRest: UInt64 = 100_000_000
    /// The longest rest, in nanoseconds.
    package static let longestRest: UInt64 = 10_000_000_000

    /// The candidates, by index.
    package private(set) var candidates: [Candidate] = []
    private var usable: [Int] = []
    private var random: UInt64

    /// A balancer without endpoints; `seed` may be anything.
    package init(seed: UInt64) { random = seed | 1 }

    /// How many candidates there are; indices are below it.
    package var count: Int { candidates.count }

    /// Where a candidate is.
    package func address(_ index: Int) -> SocketAddress { candidates[index].address }

    /// How many endpoints take new requests.
    package var readyCount: Int { usable.count }

    /// Replaces the endpoints, keeping what is known of those that stay.
    package mutating func update(_ endpoints: [Endpoint]) {
        for index in candidates.indices {
            let found = endpoints.first { $0.address == candidates[index].address }
            candidates[index].isReady = found?.ready ?? false
            candidates[index].isRemoved = found == nil
        }
        for endpoint in endpoints where !candidates.contains(where: { $0.address == endpoint.address }) {
            let fresh = Candidate(address: endpoint.address, isReady: endpoint.ready)
            if let free = candidates.firstIndex(where: { $0.isRemoved && $0.pending == 0 }) {
                candidates[free] = fresh
            } else {
                candidates.append(fresh)
            }
        }
        usable = candidates.indices.filter { candidates[$0].isReady }
    }

    /// Chooses a candidate for a request at `now`, in nanoseconds; not one of those whose bit is set in `avoiding` (indices
    /// from 64 on cannot be avoided) unless that leaves none at rest or ready.
    /// - Returns: its index, or `nil` if no candidate may be chosen.
    package mutating func pick(now: UInt64, avoiding: UInt64 = 0) -> Int? {
        switch usable.count {
        case 0: return nil
        case 1: return isAvoided(usable[0], avoiding) ? nil : usable[0]
        default: break
        }
        for _ in 0..<Balancer.draws {
            let first = draw(usable.count)
            var second = draw(usable.count - 1)
            if second >= first { second += 1 }
            let (left, right) = (usable[first], usable[second])
            // If one of the two cannot be chosen the other one has not been compared: draw again, or a slow endpoint
            // would get whatever a dead one does not.
            guard fits(left, now, avoiding), fits(right, now, avoiding) else { continue }
            return isBetter(right, than: left, now) ? right : left
        }
        return best(now: now, avoiding: avoiding)
    }

    private func fits(_ index: Int, _ now: UInt64, _ avoiding: UInt64) -> Bool {
        !isAvoided(index, avoiding) && candidates[index].restsUntil <= now
    }

    /// Among endpoints of about the same speed the one with clearly less to do is better, and with about as much to do
    /// neither is, so that chance shares requests evenly; otherwise expected time decides.
    private func isBetter(_ index: Int, than other: Int, _ now: UInt64) -> Bool {
        let (average, otherAverage) = (faded(index, now), faded(other, now))
        if abs(average - otherAverage) < max(Balancer.similar, 0.25 * min(average, otherAverage)) {
            return candidates[index].pending + Balancer.similarPending < candidates[other].pending
        }
        return average * Double(candidates[index].pending + 1)
            < otherAverage * Double(candidates[other].pending + 1)
    }

    /// No draw was good: look at all. Rare, so linear.
    private func best(now: UInt64, avoiding: UInt64) -> Int? {
        var chosen: Int?
        for index in usable where !isAvoided(index, avoiding) {
            guard let other = chosen else {
                chosen = index
                continue
            }
            let (rest, otherRest) = (max(candidates[index].restsUntil, now), max(candidates[other].restsUntil, now))
            if rest < otherRest || (rest == otherRest && isBetter(index, than: other, now)) { chosen = index }
        }
        return chosen
    }

    /// A request has been given to `index`.
    package mutating func begin(_ index: Int) { candidates[index].pending += 1 }

    /// A request given to `index` is over; `latency` in nanoseconds if it got an answer.
    package mutating func end(_ index: Int, latency: UInt64?, now: UInt64) {
        candidates[index].pending -= 1
        assert(candidates[index].pending >= 0)
        guard let latency else { return }
        candidates[index].failures = 0
        candidates[index].restsUntil = 0
        let sample = Double(latency)
        let average = candidates[index].average
        // Before the first answer the average is only a belief.
        let before = candidates[index].updated == 0 ? sample : candidates[index].last
        candidates[index].last = sample
        if min(sample, before) >= average {
            candidates[index].average = min(sample, before)
        } else if sample < average {
            let elapsed = Double(now &- candidates[index].updated)
            let keep = candidates[index].updated == 0 ? 0 : exp(-elapsed / Balancer.decay)
            candidates[index].average = average * keep + sample * (1 - keep)
        }
        candidates[index].updated = now
    }

    /// A connect to `index` failed: let it rest.
    package mutating func fail(_ index: Int, now: UInt64) {
        let doublings = UInt64(min(candidates[index].failures, 7))
        candidates[index].failures += 1
        candidates[index].restsUntil = now + min(Balancer.firstRest << doublings, Balancer.longestRest)
    }

    /// An endpoint's average as of `now`. One that was slow once and therefore got nothing must be tried again some day,
    /// so an idle one's average fades; one that has never been tried is worth trying first.
    private func faded(_ index: Int, _ now: UInt64) -> Double {
        let candidate = candidates[index]
        guard candidate.pending == 0 else { return candidate.average }
        if candidate.updated == 0 { return 0 }
        return candidate.average * exp(-Double(now &- candidate.updated) / Balancer.decay)
    }

    private func isAvoided(_ index: Int, _ avoiding: UInt64) -> Bool {
        index < 64 && avoiding & (1 << UInt64(index)) != 0
    }

    /// xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016.
    private mutating func draw(_ bound: Int) -> Int {
        random ^= random >> 12
        random ^= random << 25
        random ^= random >> 27
        return Int(truncatingIfNeeded: (random &* 0x2545_F491_4F6C_DD1D).multipliedFullWidth(by: UInt64(bound)).high)
    }
}
