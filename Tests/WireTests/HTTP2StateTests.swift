// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite("HTTP/2 windows, settings and budgets")
struct HTTP2StateTests {
    @Test("a send window may shrink below zero and may not pass 2^31-1")
    func sendWindow() {
        var window = HTTP2.SendWindow(65_535)
        window.spend(60_000)
        let shrinks = window.shift(by: -65_535)
        #expect(shrinks && window.available == -60_000)
        let expands = window.expand(by: 70_000)
        #expect(expands && window.available == 10_000)
        let overflows = !window.expand(by: 0x7fff_ffff)
        #expect(overflows && window.available == 10_000)
    }

    @Test("credit is given for what has gone on, and all of it comes back")
    func receiveWindow() {
        var window = HTTP2.ReceiveWindow(1000)
        let received = [window.receive(600), window.receive(401)]
        #expect(received == [true, false])
        let credits = [window.forward(399), window.forward(1)]
        #expect(credits == [0, 400])
        #expect(window.available == 800)
        let rest = window.forward(200)
        #expect(rest == 0)
        window = HTTP2.ReceiveWindow(1000)
        // 800 are held by somebody who does not read: the other 200 go round all the same.
        let again = window.receive(1000)
        #expect(again)
        for _ in 0..<50 {
            let credit = window.forward(200)
            let next = window.receive(200)
            #expect(credit == 200 && next)
        }
    }

    @Test("settings are taken over, and wrong ones refused")
    func settings() throws {
        func apply(_ settings: inout HTTP2.PeerSettings, _ list: [(UInt16, UInt32)], _ role: HTTP2.Role = .server)
            throws
            -> Int32
        {
            let bytes = list.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 0xff)] + Frame.word($0.1) }
            return try settings.apply(bytes.span, ByteRange(0, bytes.count), role: role)
        }
        var settings = HTTP2.PeerSettings()
        #expect(settings.concurrentStreams == HTTP2.presumedStreams)
        let change = try apply(&settings, [(4, 100_000), (1, 0), (5, 20_000), (0x1234, 7)])
        #expect(change == 34_465)
        #expect(settings.concurrentStreams == .max)  // it has not limited them
        #expect((settings.headerTableBytes, settings.frameBytes) == (0, 20_000))
        let none = try apply(&settings, [(3, 5), (8, 1)])
        #expect(none == 0 && settings.concurrentStreams == 5)
        #expect(settings.enablesConnectProtocol)
        let wrong: [(UInt16, UInt32, HTTP2.ErrorCode)] = [
            (4, 0x8000_0000, .flowControlError), (5, 16_383, .protocolError), (5, 16_777_216, .protocolError),
            (2, 2, .protocolError), (8, 2, .protocolError), (8, 0, .protocolError),
        ]
        for (id, value, code) in wrong {
            var copy = settings
            #expect(throws: HTTP2Error(code), "\(id) = \(value)") { try apply(&copy, [(id, value)]) }
        }
        var client = HTTP2.PeerSettings()
        #expect(throws: HTTP2Error(.protocolError)) { try apply(&client, [(2, 1)], .client) }
    }

    @Test("a budget gives its capacity at once and its rate for ever")
    func budget() {
        var budget = HTTP2.Budget(capacity: 10, perSecond: 5)
        let start: UInt64 = 1_000_000_000_000
        func spend(_ count: Int, at seconds: Double) -> Int {
            (0..<count).count { _ in budget.spend(now: start + UInt64(seconds * 1e9)) }
        }
        let first = spend(10, at: 0)
        _ = spend(1000, at: 0)  // whatever was saved up before
        let given = [first, spend(10, at: 0), spend(10, at: 1), spend(100, at: 100)]
        #expect(given == [10, 0, 5, 10])
    }
}
