// SPDX-License-Identifier: Apache-2.0

import FuzzOracles
import Testing
import Wire

@Suite("request heads")
struct RequestHeadTests {
    @Test("every part is where it is")
    func parts() throws {
        let text = "\r\nPOST /a/b?c=d HTTP/1.1\r\nHost:  web:80 \r\nX-Empty:\r\nContent-Length: 5\r\n\r\nhello"
        let bytes = Array(text.utf8)
        let outcome = parseRequest(bytes)
        let head = try #require(outcome.head)
        #expect(head.method == .post && bytes.text(head.methodRange) == "POST")
        #expect(bytes.text(head.target) == "/a/b?c=d" && head.path == head.target && head.targetForm == .origin)
        #expect(bytes.text(head.authority) == "web:80")
        #expect(head.byteCount == bytes.count - 5 && head.framing == .length(5) && head.minorVersion == 1)
        #expect(
            outcome.fields.map { "\(bytes.text($0.name))=\(bytes.text($0.value))" }
                == ["Host=web:80", "X-Empty=", "Content-Length=5"])
    }

    @Test(
        "the target's form decides path and authority",
        arguments: [
            ("GET / HTTP/1.1", TargetForm.origin, "/", "h"),
            ("GET //x?y HTTP/1.1", .origin, "//x?y", "h"),
            ("GET http://h/p?q HTTP/1.1", .absolute, "/p?q", "h"),
            ("GET http://H:80 HTTP/1.1", .absolute, "", "H:80"),
            ("GET https://h:443?q HTTP/1.1", .absolute, "?q", "h:443"),
            ("OPTIONS http://h HTTP/1.1", .absolute, "", "h"),
            ("OPTIONS * HTTP/1.1", .asterisk, "*", "h"),
            ("CONNECT x:443 HTTP/1.1", .authority, "", "x:443"),
            ("CONNECT [::1]:443 HTTP/1.1", .authority, "", "[::1]:443"),
        ])
    func forms(line: String, form: TargetForm, path: String, authority: String) throws {
        let bytes = Array("\(line)\r\nHost: h\r\n\r\n".utf8)
        let head = try #require(parseRequest(bytes).head)
        #expect(head.targetForm == form && bytes.text(head.path) == path && bytes.text(head.authority) == authority)
    }

    @Test("methods are recognised by their exact spelling")
    func methods() {
        let names: [(String, Method)] = [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("OPTIONS", .options),
            ("TRACE", .trace), ("PATCH", .patch), ("get", .other), ("GETT", .other), ("PURGE", .other),
            ("M-SEARCH", .other),
        ]
        for (name, method) in names {
            #expect(parseRequest("\(name) / HTTP/1.1\r\nHost: a\r\n\r\n").head?.method == method, "\(name)")
        }
        #expect(Method.allCases.filter(\.isIdempotent) == [.get, .head, .put, .delete, .options, .trace])
    }

    @Test(
        "the connection persists as version and options say",
        arguments: [
            ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
            ("HTTP/1.1", "Connection: keep-alive, CLOSE\r\n", false),
            ("HTTP/1.1", "Connection: x\r\nConnection: close\r\n", false),
            ("HTTP/1.1", "Connection: closed\r\n", true), ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true), ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
        ])
    func persistence(version: String, fields: String, persists: Bool) throws {
        let head = try #require(parseRequest("GET / \(version)\r\nHost: a\r\n\(fields)\r\n").head)
        #expect(head.isPersistent == persists)
    }

    @Test("an upgrade takes the field, the option and HTTP/1.1")
    func upgrade() {
        func hasUpgrade(_ version: String, _ fields: String) -> Bool? {
            parseRequest("GET / \(version)\r\nHost: a\r\n\(fields)\r\n").head?.hasUpgrade
        }
        #expect(hasUpgrade("HTTP/1.1", "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n") == true)
        #expect(hasUpgrade("HTTP/1.1", "Upgrade: websocket\r\n") == false)
        #expect(hasUpgrade("HTTP/1.1", "Connection: upgrade\r\n") == false)
        #expect(hasUpgrade("HTTP/1.0", "Upgrade: websocket\r\nConnection: upgrade\r\n") == false)
    }

    @Test("100-continue is expected in HTTP/1.1 only")
    func expectation() {
        func expects(_ version: String, _ value: String) -> Bool? {
            parseRequest("PUT / \(version)\r\nHost: a\r\nExpect: \(value)\r\n\r\n").head?.expectsContinue
        }
        #expect(expects("HTTP/1.1", "100-Continue") == true)
        #expect(expects("HTTP/1.1", "x, 100-continue") == true)
        #expect(expects("HTTP/1.1", "100-continued") == false)
        #expect(expects("HTTP/1.0", "100-continue") == false)
    }

    @Test("framing is what the fields agree on")
    func framing() {
        func framing(_ fields: String) -> BodyFraming? {
            parseRequest("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n").head?.framing
        }
        #expect(framing("") == BodyFraming.none)
        #expect(framing("Content-Length: 0\r\n") == BodyFraming.none)
        #expect(framing("Content-Length: 9223372036854775807\r\n") == .length(UInt64(Int64.max)))
        #expect(framing("Transfer-Encoding: gzip ,  chunked\r\n") == .chunked)
    }

    @Test("what follows the head does not matter")
    func pipelined() throws {
        let first = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
        let head = try #require(parseRequest(first + "\u{0}garbage\nGET").head)
        #expect(head.byteCount == first.utf8.count)
    }

    @Test("the verdict at the limit does not depend on how much was read")
    func limit() {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
        let fits = start + String(repeating: "x", count: HTTP1.maximumHeadBytes - start.utf8.count - 4) + "\r\n\r\n"
        #expect(parseRequest(fits).head?.byteCount == HTTP1.maximumHeadBytes)
        #expect(parseRequest(fits + "body").head?.byteCount == HTTP1.maximumHeadBytes)
        let over = "X" + fits
        #expect(parseRequest(Array(over.utf8).prefix(HTTP1.maximumHeadBytes - 1)) == .incomplete)
        #expect(parseRequest(Array(over.utf8).prefix(HTTP1.maximumHeadBytes)) == .refused(.headTooLarge))
        #expect(parseRequest(over) == .refused(.headTooLarge))
    }

    @Test("a table is emptied for each head, and finds fields by name")
    func table() throws {
        var table = FieldTable()
        let first = Array("GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\n\r\n".utf8)
        _ = try HTTP1.parseRequestHead(first.span, into: &table)
        #expect(table.count == 3)
        let found = table.value(of: "x-one", in: first.span)
        #expect(found.map { first.text($0) } == "1")
        let second = Array("GET / HTTP/1.0\r\n\r\n".utf8)
        _ = try HTTP1.parseRequestHead(second.span, into: &table)
        let missing = table.value(of: "host", in: second.span)
        #expect(table.count == 0 && missing == nil)
    }

    @Test("errors have the status that HTTP gives them")
    func statuses() {
        #expect(HTTP1Error.allCases.filter(\.isTooLarge).allSatisfy { $0.httpStatus == 431 })
        #expect(HTTP1Error.unsupportedVersion.httpStatus == 505 && HTTP1Error.unknownTransferCoding.httpStatus == 501)
        #expect(HTTP1Error.allCases.count { $0.httpStatus != 400 } == 6)
    }
}
