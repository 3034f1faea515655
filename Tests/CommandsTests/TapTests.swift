// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Telemetry
import Testing

@testable import Commands

@Suite("tap")
struct TapTests {
    private func report(
        _ kind: TapReport.Kind, _ direction: String = "inbound", _ change: (inout TapReport) -> Void = { _ in }
    ) -> TapReport {
        var report = TapReport(
            kind: kind, base: 0, stream: 809, direction: direction, source: "10.244.6.239:57202",
            destination: "10.244.1.237:8080", tls: "local")
        change(&report)
        return report
    }

    private var all: [TapReport] {
        [
            report(.request) {
                $0.method = "POST"
                $0.authority = "voting-svc.emojivoto:8080"
                $0.path = "/emojivoto.v1.VotingService/VoteDoughnut"
                $0.sourcePod = Samples.web
                $0.destinationPod = Samples.voting1
            },
            report(.response) {
                $0.status = 200
                $0.latencyMicroseconds = 478
            },
            report(.end) {
                $0.durationMicroseconds = 7
                $0.responseBytes = 5
            },
            report(.end, "outbound") {
                $0.durationMicroseconds = 7
                $0.responseBytes = 5
                $0.error = Failure.Reason.upstreamReset.rawValue
            },
            report(.end) {
                $0.durationMicroseconds = 7
                $0.responseBytes = 5
                $0.grpcStatus = GRPCStatus.ok.rawValue
            },
            report(.end) {
                $0.durationMicroseconds = 7
                $0.responseBytes = 0
                $0.resetCode = 2
            },
            report(.end) {
                $0.durationMicroseconds = 7
                $0.responseBytes = 5
                $0.grpcStatus = GRPCStatus.canceled.rawValue
                $0.resetCode = 8
                $0.error = Failure.Reason.requestCancelled.rawValue
            },
            report(.end) {
                $0.durationMicroseconds = 7
                $0.responseBytes = 5
                $0.resetCode = 4711
            },
            report(.open, "outbound") { $0.source = "[fd00::1]:4000" },
            report(.close, "sideways") {
                $0.durationMicroseconds = 1_200_345
                $0.readBytes = 12
                $0.writeBytes = 34
                $0.error = "downstream_reset"
            },
        ]
    }

    @Test("lines are Linkerd's, and connections look alike")
    func lines() throws {
        let text = all.compactMap { TapLine(report: $0).text }.joined(separator: "\n") + "\n"
        try Golden.expect(text, "tap.txt")
    }

    @Test("wide lines say who the peers are")
    func wide() throws {
        try Golden.expect(try #require(TapLine(report: all[0], isWide: true).text) + "\n", "tap-wide.txt")
    }

    @Test("JSON is one object to a line")
    func json() throws {
        let text = try all.compactMap { try TapJSON($0)?.text() }.joined(separator: "\n") + "\n"
        try Golden.expect(text, "tap.json")
    }

    @Test("what was left out is a sentence, not an event")
    func dropped() {
        let line = TapLine(report: report(.dropped) { $0.dropped = 12 })
        #expect(line.text == nil)
        #expect(line.dropped?.hasPrefix("12 events left out") == true)
    }

    @Test("a terminal never obeys a stranger's path")
    func hostile() {
        let line = TapLine(report: report(.request) { $0.path = "/\u{1b}[2J\u{9b}31m\r\n\u{202e}x\\" })
        #expect(line.text?.hasSuffix(#":path=/\x1b[2J\x9b31m\x0d\x0a\u202ex\\"#) == true, "\(line.text ?? "")")
        #expect("plain 😀 text".visible == "plain 😀 text")
    }

    @Test("the agent is asked with everything encoded")
    func parameters() throws {
        var query = TapQuery(resource: Resource(kind: .deployment, name: "web"), namespace: "emojivoto")
        query.path = "/a?b=c&d"
        query.peer = "emojivoto/voting"
        #expect(
            query.parameters(maxRPS: 50)
                == "namespace=emojivoto&ownerKind=Deployment&owner=web&path=%2Fa%3Fb%3Dc%26d&peer=emojivoto%2Fvoting&maxRps=50"
        )
        let pod = TapQuery(resource: Resource(kind: .pod, name: "p"), namespace: "a")
        #expect(pod.parameters(maxRPS: 1) == "namespace=a&pod=p&maxRps=1")
        let namespace = TapQuery(resource: Resource(kind: .namespace, name: "b"), namespace: "a")
        #expect(namespace.parameters(maxRPS: 1) == "namespace=b&maxRps=1")
    }

    @Test(
        "the command line: bad",
        arguments: [
            [], ["deploy"], ["svc/web"], ["deploy/a", "deploy/b"], ["deploy/a", "--max-rps", "0"],
            ["deploy/a", "--to", "ns/b"], ["deploy/a", "--direction", "inbound", "--to", "deploy/b"],
        ])
    func bad(_ arguments: [String]) {
        #expect(throws: (any Error).self) { try TapCommand.parse(arguments) }
    }

    @Test("lines are cut wherever the bytes were", arguments: 1...7)
    func lineBuffer(_ size: Int) {
        let bytes = Array("one\n\ntwo\nthree".utf8)
        var buffer = LineBuffer()
        var lines: [String] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            lines += buffer.add(bytes[start..<min(start + size, bytes.count)]).map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        #expect(lines == ["one", "two"])
    }

    @Test(
        "agents without a port get one",
        arguments: [
            ("a", "a:4191"), ("a:1", "a:1"), ("::1", "[::1]:4191"), ("[::1]", "[::1]:4191"), ("[::1]:2", "[::1]:2"),
        ])
    func ports(_ text: String, _ expected: String) {
        #expect(AgentOptions.withPort(text) == expected)
    }
}
