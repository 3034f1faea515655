// SPDX-License-Identifier: Apache-2.0

import FuzzOracles
import Testing
import Wire

@Suite("response heads")
struct ResponseHeadTests {
    /// Rows: status, request method, fields, framing, whether the protocol changes. RFC 9112 §6.3 in its order.
    @Test(
        "the body ends as RFC 9112 6.3 says",
        arguments: [
            ("200", Method.head, "Content-Length: 5\r\n", BodyFraming.none, false),
            ("200", .head, "Transfer-Encoding: chunked\r\n", .none, false),
            ("200", .head, "", .none, false),
            ("100", .post, "", .none, false),
            ("103", .get, "Link: x\r\n", .none, false),
            ("101", .get, "Upgrade: x\r\nConnection: upgrade\r\n", .none, true),
            ("204", .get, "", .none, false),
            ("304", .get, "Content-Length: 5\r\n", .none, false),
            ("304", .get, "Transfer-Encoding: chunked\r\n", .none, false),
            ("200", .connect, "", .none, true),
            ("299", .connect, "Content-Length: 5\r\n", .none, true),
            ("200", .connect, "Transfer-Encoding: chunked\r\n", .none, true),
            ("407", .connect, "Content-Length: 5\r\n", .length(5), false),
            ("200", .get, "Transfer-Encoding: chunked\r\n", .chunked, false),
            ("200", .get, "Transfer-Encoding: gzip, chunked\r\n", .chunked, false),
            ("200", .get, "Content-Length: 5\r\n", .length(5), false),
            ("200", .get, "Content-Length: 0\r\n", .none, false),
            ("500", .get, "", .untilClose, false),
        ])
    func framing(
        status: String, method: Method, fields: String, framing: BodyFraming, switches: Bool
    ) throws {
        let text = "HTTP/1.1 \(status) X\r\n\(fields)\r\n"
        let head = try #require(parseResponse(text, answering: method).head)
        #expect(head.framing == framing && head.switchesProtocol == switches)
        #expect(head.status == UInt16(status) && head.byteCount == text.utf8.count)
        #expect(head.isInterim == ["100", "103"].contains(status))
        #expect(head.isPersistent == (framing != .untilClose && !switches))
    }

    @Test(
        "the connection persists as version and options say",
        arguments: [
            ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false), ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: keep-alive\r\n", true),
        ])
    func persistence(version: String, fields: String, persists: Bool) throws {
        let head = try #require(parseResponse("\(version) 200 OK\r\nContent-Length: 1\r\n\(fields)\r\n").head)
        #expect(head.isPersistent == persists)
    }

    @Test("the final response follows an interim one")
    func interim() throws {
        let bytes = Array("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204\r\n\r\n".utf8)
        let first = try #require(parseResponse(bytes, answering: .put).head)
        #expect(first.isInterim)
        let second = try #require(parseResponse(bytes[first.byteCount...], answering: .put).head)
        #expect(second.status == 204 && !second.isInterim && first.byteCount + second.byteCount == bytes.count)
    }
}
