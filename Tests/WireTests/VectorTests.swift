// SPDX-License-Identifier: Apache-2.0

import FuzzOracles
import Testing
import Wire

/// `Vectors/SECTION-TITLE.VERDICT.KIND`: one rule of one section each. The verdict is `ok`, or the status and the case.
@Suite("vectors")
struct VectorTests {
    @Test("there are vectors")
    func present() {
        #expect(Sample.vectors(of: "http").count > 100)
        #expect(Sample.vectors(of: "response").count > 20)
        #expect(Sample.vectors(of: "chunked").count > 40)
        #expect(Sample.vectors.allSatisfy { ["http", "response", "chunked"].contains($0.kind) })
    }

    @Test("a request vector gets its verdict, whole and cut anywhere", arguments: Sample.vectors(of: "http"))
    func request(_ sample: Sample) {
        let outcome = parseRequest(sample.bytes)
        let verdict = outcome.head != nil ? "ok" : outcome.error.map { "\($0.httpStatus).\($0)" } ?? "incomplete"
        #expect(sample.name.hasSuffix(".\(verdict).http"), "got \(verdict)")
        for cut in cuts(sample.bytes.count) {
            #expect(outcome.isConsistent(withPrefixOutcome: parseRequest(sample.bytes[..<cut])), "cut at \(cut)")
        }
    }

    @Test("a response vector gets its verdict, whole and cut anywhere", arguments: Sample.vectors(of: "response"))
    func response(_ sample: Sample) {
        let outcome = parseResponse(sample.bytes)
        let verdict = outcome.head != nil ? "ok" : outcome.error.map { "502.\($0)" } ?? "incomplete"
        #expect(sample.name.hasSuffix(".\(verdict).response"), "got \(verdict)")
        for cut in cuts(sample.bytes.count) {
            #expect(outcome.isConsistent(withPrefixOutcome: parseResponse(sample.bytes[..<cut])), "cut at \(cut)")
        }
    }

    @Test("a chunked vector gets its verdict, however it is cut", arguments: Sample.vectors(of: "chunked"))
    func chunked(_ sample: Sample) {
        let whole = decode([sample.bytes[...]])
        let verdict = whole.isComplete ? "ok" : whole.error.map { "\($0.httpStatus).\($0)" } ?? "incomplete"
        #expect(sample.name.hasSuffix(".\(verdict).chunked"), "got \(verdict)")
        expectSameHoweverCut(sample.bytes, whole)
    }

    @Test("every refusal has a vector")
    func complete() {
        for error in HTTP1Error.allCases {
            #expect(Sample.vectors.contains { $0.name.contains(".\(error).") }, "\(error)")
        }
    }
}

/// Any two pieces, and byte by byte, give what the whole gives.
func expectSameHoweverCut(_ bytes: [UInt8], _ whole: Decoded) {
    for cut in cuts(bytes.count) {
        #expect(decode([bytes[..<cut], bytes[cut...]]) == whole, "cut at \(cut)")
    }
    #expect(decode(bytes.indices.map { bytes[$0...$0] }) == whole, "byte by byte")
}
