// SPDX-License-Identifier: Apache-2.0

import FuzzOracles
import Testing
import Wire

/// Replays `Tests/Corpora`: what real programs send is accepted, and the verdict does not depend on where reads end.
@Suite("corpora")
struct CorpusTests {
    static let requests = Sample.http1.filter { $0.kind == "request" }
    static let responses = Sample.http1.filter { $0.kind == "response" }

    @Test("there are corpora")
    func present() {
        #expect(Self.requests.count > 15 && Self.responses.count > 15)
        #expect(Sample.chunked.count > 8 && Sample.detect.count > 30 && Sample.clientHello.count > 10)
    }

    @Test("a real request is accepted and can be cut anywhere", arguments: requests)
    func request(_ sample: Sample) {
        let outcome = parseRequest(sample.bytes)
        #expect(outcome.head != nil, "\(outcome)")
        for cut in cuts(sample.bytes.count) {
            #expect(outcome.isConsistent(withPrefixOutcome: parseRequest(sample.bytes[..<cut])), "cut at \(cut)")
        }
    }

    @Test("a real response is accepted and can be cut anywhere", arguments: responses)
    func response(_ sample: Sample) {
        let outcome = parseResponse(sample.bytes)
        #expect(outcome.head != nil, "\(outcome)")
        for cut in cuts(sample.bytes.count) {
            #expect(outcome.isConsistent(withPrefixOutcome: parseResponse(sample.bytes[..<cut])), "cut at \(cut)")
        }
    }

    @Test("the body of a real message ends where the message does", arguments: requests)
    func bodies(_ sample: Sample) throws {
        let head = try #require(parseRequest(sample.bytes).head)
        let body = sample.bytes[head.byteCount...]
        switch head.framing {
        case .none: #expect(body.isEmpty)
        case .length(let count): #expect(UInt64(body.count) == count)
        case .chunked:
            let decoded = decode([body])
            #expect(decoded.isComplete && decoded.consumed == body.count)
        case .untilClose: Issue.record("a request never ends with the connection")
        }
    }

    @Test("a real chunked body ends, however it is cut", arguments: Sample.chunked)
    func chunked(_ sample: Sample) {
        let whole = decode([sample.bytes[...]])
        #expect(whole.isComplete, "\(whole)")
        expectSameHoweverCut(sample.bytes, whole)
    }

    @Test("first bytes are told apart, and never otherwise than in the end", arguments: Sample.detect)
    func detect(_ sample: Sample) {
        let verdict = Detect.classify(sample.bytes.span)
        #expect(sample.name.hasSuffix(".\(verdict).bin"), "got \(verdict)")
        var decided = Detect.Verdict.needMore
        for cut in cuts(sample.bytes.count) {
            let prefix = Array(sample.bytes[..<cut])
            let now = Detect.classify(prefix.span)
            #expect(now == .needMore || now == verdict, "cut at \(cut)")
            #expect(decided == .needMore || now == decided, "changed its mind at \(cut)")
            decided = now
        }
    }

    @Test("a server name is found, and never another in a part", arguments: Sample.clientHello)
    func clientHello(_ sample: Sample) {
        let found = ClientHello.serverName(sample.bytes.span)
        let verdict =
            switch found {
            case .needMore: "needMore"
            case .none: "none"
            case .name(let range): "name=\(sample.bytes.text(range))"
            case .notClientHello: "invalid"
            }
        #expect(sample.name.hasSuffix(".\(verdict).bin"), "got \(verdict)")
        for cut in cuts(sample.bytes.count) {
            let prefix = Array(sample.bytes[..<cut])
            let now = ClientHello.serverName(prefix.span)
            #expect(now == .needMore || now == found, "cut at \(cut)")
        }
    }
}
