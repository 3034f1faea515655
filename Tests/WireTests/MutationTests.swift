// SPDX-License-Identifier: Apache-2.0

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
                if let reason = Doubt.about(bytes, head.byteCount, outcome.fields, head.framing) {
                    Issue.record("seed \(seed), \(sample.name): \(reason): \(bytes.text)")
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
                if let reason = Doubt.about(bytes, head.byteCount, outcome.fields, isLengthMoot ? nil : head.framing) {
                    Issue.record("seed \(seed), \(sample.name): \(reason): \(bytes.text)")
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

/// A second, slow reading of an accepted head by other means, looking for what a laxer peer could see differently.
enum Doubt {
    static func about(
        _ bytes: [UInt8], _ byteCount: Int, _ fields: [FieldTable.Field], _ framing: BodyFraming?
    ) -> String? {
        guard byteCount <= bytes.count else { return "longer than the input" }
        let head = Array(bytes[..<byteCount])
        guard head.suffix(4) == Array("\r\n\r\n".utf8)[...] else { return "does not end with an empty line" }
        for (index, byte) in head.enumerated() {
            switch byte {
            case 0x0a where index == 0 || head[index - 1] != 0x0d: return "bare LF"
            case 0x0d where index + 1 == head.count || head[index + 1] != 0x0a: return "bare CR"
            case 0x09, 0x0a, 0x0d: continue
            case 0..<0x20, 0x7f: return "control byte \(byte)"
            default: continue
            }
        }
        var lines = head.dropLast(4).split(separator: 0x0d, omittingEmptySubsequences: false)
            .map { $0.first == 0x0a ? $0.dropFirst() : $0 }
        while lines.first?.isEmpty == true { lines.removeFirst() }
        guard lines.count - 1 == fields.count else { return "\(lines.count - 1) lines but \(fields.count) fields" }
        var lengths: [String] = []
        var codings: [String] = []
        for (line, field) in zip(lines.dropFirst(), fields) {
            guard let colon = line.firstIndex(of: 0x3a) else { return "no colon" }
            let name = String(decoding: line[..<colon], as: UTF8.self)
            let value = String(decoding: line[(colon + 1)...], as: UTF8.self)
                .trimmed { $0 == " " || $0 == "\t" }
            guard name == bytes.text(field.name), value == bytes.text(field.value) else { return "\(name) misplaced" }
            guard !name.isEmpty, !name.contains(where: { " \t".contains($0) }) else { return "name \(name)" }
            if name.lowercased() == "content-length" { lengths.append(value) }
            if name.lowercased() == "transfer-encoding" { codings.append(value.lowercased()) }
        }
        guard lengths.count + codings.count <= 1 else { return "two lengths" }
        guard let framing else { return nil }
        switch (lengths.first, codings.first) {
        case (let length?, nil):
            guard let count = UInt64(length), length.allSatisfy(\.isNumber) else { return "length \(length)" }
            return framing == (count == 0 ? .none : .length(count)) ? nil : "framing \(framing) for length \(length)"
        case (nil, let coding?):
            return framing == .chunked && coding.hasSuffix("chunked") ? nil : "framing \(framing) for \(coding)"
        default:
            return framing == .none || framing == .untilClose ? nil : "framing \(framing) for nothing"
        }
    }
}

extension [UInt8] {
    fileprivate var text: String { String(decoding: self, as: UTF8.self) }
}

extension String {
    fileprivate func trimmed(_ isBlank: (Character) -> Bool) -> String {
        var rest = self[...]
        while let first = rest.first, isBlank(first) { rest.removeFirst() }
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return String(rest)
    }
}
