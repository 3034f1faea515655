// SPDX-License-Identifier: Apache-2.0

import FuzzOracles
import Testing
import Wire

@Suite("chunked bodies")
struct ChunkedDecoderTests {
    @Test("it counts the payload and stops where the message ends")
    func counts() {
        let decoded = decode("3\r\nabc\r\n2;x=\"y;\\\"\"\r\nde\r\n0\r\nX: 1\r\n\r\nGET / HTTP/1.1\r\n")
        #expect(decoded == Decoded(consumed: 35, isComplete: true, payload: 5))
    }

    @Test("it takes nothing once complete")
    func afterEnd() throws {
        var decoder = ChunkedDecoder()
        let body = Array("0\r\n\r\n".utf8)
        let counts = [try decoder.consume(body.span), try decoder.consume(body.span)]
        #expect(counts == [5, 0])
        #expect(decoder.isComplete && decoder.payloadBytes == 0)
    }

    @Test("an unfinished body belongs to the message so far")
    func unfinished() {
        #expect(decode("ff\r\nabc") == Decoded(consumed: 7, isComplete: false, payload: 3))
        #expect(decode("") == Decoded())
    }

    @Test("the largest chunk is 2^63-1 bytes")
    func largest() {
        #expect(decode("7fffffffffffffff\r\nab").payload == 2)
        #expect(decode("8000000000000000\r\n").error == .chunkTooLarge)
        #expect(decode("ffffffffffffffff\r\n").error == .chunkTooLarge)
    }

    @Test("the limit of extensions is per chunk")
    func extensionLimit() {
        let line = "1;" + String(repeating: "a", count: 1_000) + "\r\nx\r\n"
        #expect(decode(line + line + line + "0\r\n\r\n").payload == 3)
    }

    @Test("it is small enough to live in every connection")
    func size() {
        #expect(MemoryLayout<ChunkedDecoder>.size <= 32)
    }
}
