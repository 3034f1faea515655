// SPDX-License-Identifier: Apache-2.0

import FuzzOracles
import Testing

@testable import Wire

/// Changes every sample at random and asks of whatever is still accepted that it cannot be read in two ways.
/// The same on every run; a failure names the seed.
@Suite("mutations")
struct MutationTests {
    static let rounds = 150

    @Test("a changed request is refused or means one thing", arguments: [1, 2, 3] as [UInt64])
    func requests(seed: UInt64) {
        var mutator = Mutator(seed: seed)
        var accepted = 0
        for sample in CorpusTests.requests + Sample.vectors(of: "http") where sample.bytes.count < 4_000 {
            for _ in 0..<Self.rounds {
                let bytes = mutator.mutate(sample.bytes)
                let outcome = parseRequest(bytes)
                let cut = mutator.random.below(bytes.count + 1)
                guard outcome.isConsistent(withPrefixOutcome: parseRequest(bytes[..<cut])) else {
                    Issue.record("seed \(seed), \(sample.name): cut at \(cut) of \(bytes.text)")
                    return
                }
                guard let head = outcome.head else { continue }
                accepted += 1
                do throws(Violation) {
                    try HeadReading(bytes.span, head.byteCount, outcome.fields).expectOneLength(head.framing)
                } catch {
                    Issue.record("seed \(seed), \(sample.name): \(error): \(bytes.text)")
                    return
                }
                for range in [head.methodRange, head.target, head.path, head.authority] {
                    #expect(range.upper <= head.byteCount)
                }
            }
        }
        #expect(accepted > 1_000, "so few accepted changes test little")
    }

    @Test("a changed response is refused or means one thing", arguments: [4, 5, 6] as [UInt64])
    func responses(seed: UInt64) {
        var mutator = Mutator(seed: seed)
        var accepted = 0
        for sample in CorpusTests.responses + Sample.vectors(of: "response") where sample.bytes.count < 4_000 {
            for _ in 0..<Self.rounds {
                let bytes = mutator.mutate(sample.bytes)
                let method = Method(rawValue: UInt8(mutator.random.below(Method.allCases.count))) ?? .get
                let outcome = parseResponse(bytes, answering: method)
                let cut = mutator.random.below(bytes.count + 1)
                guard outcome.isConsistent(withPrefixOutcome: parseResponse(bytes[..<cut], answering: method)) else {
                    Issue.record("seed \(seed), \(sample.name): cut at \(cut) of \(bytes.text)")
                    return
                }
                guard let head = outcome.head else { continue }
                accepted += 1
                let isLengthMoot = head.framing == .none
                do throws(Violation) {
                    try HeadReading(bytes.span, head.byteCount, outcome.fields)
                        .expectOneLength(isLengthMoot ? nil : head.framing)
                } catch {
                    Issue.record("seed \(seed), \(sample.name): \(error): \(bytes.text)")
                    return
                }
            }
        }
        #expect(accepted > 400, "so few accepted changes test little")
    }

    @Test("a changed chunked body comes to the same in any pieces", arguments: [7, 8, 9] as [UInt64])
    func chunked(seed: UInt64) {
        var mutator = Mutator(seed: seed)
        for sample in Sample.chunked + Sample.vectors(of: "chunked") where sample.bytes.count < 4_000 {
            for _ in 0..<Self.rounds {
                let bytes = mutator.mutate(sample.bytes)
                let cut = mutator.random.below(bytes.count + 1)
                let whole = decode([bytes[...]])
                guard decode([bytes[..<cut], bytes[cut...]]) == whole, whole.consumed <= bytes.count else {
                    Issue.record("seed \(seed), \(sample.name): cut at \(cut) of \(bytes.text)")
                    return
                }
            }
        }
    }

    @Test("changed first bytes keep their verdict as more arrive", arguments: [10, 11] as [UInt64])
    func detection(seed: UInt64) {
        var mutator = Mutator(seed: seed)
        for sample in Sample.detect + Sample.clientHello where sample.bytes.count < 4_000 {
            for _ in 0..<Self.rounds {
                let bytes = mutator.mutate(sample.bytes)
                let prefix = Array(bytes[..<mutator.random.below(bytes.count + 1)])
                let (verdict, early) = (Detect.classify(bytes.span), Detect.classify(prefix.span))
                #expect(early == .needMore || early == verdict, "seed \(seed), \(sample.name)")
                let (name, earlyName) = (ClientHello.serverName(bytes.span), ClientHello.serverName(prefix.span))
                #expect(earlyName == .needMore || earlyName == name, "seed \(seed), \(sample.name)")
                if case .name(let range) = name { #expect(range.upper <= bytes.count && range.count <= 253) }
            }
        }
    }
}

extension [UInt8] {
    fileprivate var text: String { String(decoding: self, as: UTF8.self) }
}
