// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite("HTTP/2 messages")
struct HTTP2MessageTests {
    static let get = [(":method", "GET"), (":scheme", "http"), (":path", "/x?y"), (":authority", "web:80")]

    /// Reads fields as a request; `nil` if they are refused.
    static func request(_ fields: [(String, String)]) -> HTTP2.RequestFields? {
        var block = FieldBlock()
        fill(&block, fields)
        return try? HTTP2.RequestFields.read(block)
    }

    static func response(_ fields: [(String, String)]) -> HTTP2.ResponseFields? {
        var block = FieldBlock()
        fill(&block, fields)
        return try? HTTP2.ResponseFields.read(block)
    }

    static func fill(_ block: inout FieldBlock, _ fields: [(String, String)]) {
        for (name, value) in fields {
            let isHeld = Array(name.utf8).withUnsafeBytes { name in
                Array(value.utf8).withUnsafeBytes { value in block.append(name: name, value: value, isSensitive: false)
                }
            }
            precondition(isHeld)
        }
    }

    @Test("a request is understood")
    func understands() throws {
        let read = try #require(
            Self.request(Self.get + [("content-type", "application/grpc+proto"), ("te", "trailers")]))
        #expect(read.method == .get)
        #expect(read.path.count == 4)
        #expect(read.authority.count == 6)
        #expect(read.isGRPC)
        #expect(read.contentLength == -1)
        #expect(Self.request(Self.get + [("content-type", "application/grpcweb")])?.isGRPC == false)
        #expect(Self.request(Self.get + [("content-length", "12")])?.contentLength == 12)
        #expect(Self.request([(":method", "CONNECT"), (":authority", "a:1")])?.isTunnel == true)
        let socket = Self.get.dropFirst() + [(":method", "CONNECT"), (":protocol", "websocket")]
        #expect(Self.request(Array(socket))?.protocol.count == 9)
        #expect(Self.request([(":method", "OPTIONS"), (":scheme", "http"), (":path", "*")]) != nil)
        #expect(Self.request(Array(Self.get.dropLast()) + [("host", "web:80")])?.authority.count == 6)
    }

    static let malformed: [(String, [(String, String)])] = [
        ("no method", Array(get.dropFirst())),
        ("no scheme", [get[0], get[2]]),
        ("no path", [get[0], get[1]]),
        ("an empty path", [get[0], get[1], (":path", "")]),
        ("a path that is none", [get[0], get[1], (":path", "x")]),
        ("an asterisk for GET", [get[0], get[1], (":path", "*")]),
        ("a method twice", get + [(":method", "GET")]),
        ("a pseudo-field after a regular one", [get[0], get[1], ("a", "b"), get[2]]),
        ("a status", get + [(":status", "200")]),
        ("an unknown pseudo-field", get + [(":other", "x")]),
        ("a capital", get + [("Accept", "x")]),
        ("a space in a name", get + [("a b", "x")]),
        ("an empty name", get + [("", "x")]),
        ("a colon in a name", get + [("a:b", "x")]),
        ("a NUL in a value", get + [("a", "b\0c")]),
        ("a line feed in a value", get + [("a", "b\nc")]),
        ("a carriage return in a value", get + [("a", "b\r")]),
        ("a blank before a value", get + [("a", " b")]),
        ("a blank after a value", get + [("a", "b\t")]),
        ("connection", get + [("connection", "close")]),
        ("keep-alive", get + [("keep-alive", "1")]),
        ("proxy-connection", get + [("proxy-connection", "x")]),
        ("transfer-encoding", get + [("transfer-encoding", "chunked")]),
        ("upgrade", get + [("upgrade", "h2c")]),
        ("te that is more than trailers", get + [("te", "gzip")]),
        ("a signed length", get + [("content-length", "+1")]),
        ("a list of lengths", get + [("content-length", "1,1")]),
        ("two lengths", get + [("content-length", "1"), ("content-length", "2")]),
        ("a huge length", get + [("content-length", "9999999999999999999")]),
        ("two hosts", get + [("host", "other")]),
        ("user information", Array(get.dropLast()) + [(":authority", "user@web")]),
        ("CONNECT with a path", get.dropFirst() + [(":method", "CONNECT")]),
        ("CONNECT without an authority", [(":method", "CONNECT")]),
        (":protocol without CONNECT", get + [(":protocol", "websocket")]),
        ("a method with a space", Array(get.dropFirst()) + [(":method", "GE T")]),
    ]

    @Test("a malformed request is refused", arguments: malformed)
    func refuses(name: String, fields: [(String, String)]) {
        #expect(Self.request(fields) == nil, "\(name)")
    }

    @Test("responses and trailers")
    func responses() throws {
        #expect(Self.response([(":status", "200")])?.status == 200)
        #expect(Self.response([(":status", "103")])?.isInterim == true)
        let grpc = try #require(
            Self.response([(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "14")]))
        #expect(grpc.grpcStatus == 14)
        #expect(grpc.isGRPC)
        for wrong in ["", "20", "2000", "abc", "099", "101"] { #expect(Self.response([(":status", wrong)]) == nil) }
        #expect(Self.response([("a", "b")]) == nil)
        #expect(Self.response([("a", "b"), (":status", "200")]) == nil)
        #expect(Self.response([(":status", "200"), (":status", "200")]) == nil)
        #expect(Self.response([(":status", "200"), (":path", "/")]) == nil)
        var block = FieldBlock()
        for (text, code) in [("0", 0), ("16", 16), ("17", 2), ("x", 2), ("", 2)] {
            block.removeAll()
            Self.fill(&block, [("grpc-status", text), ("grpc-message", "m")])
            #expect(try HTTP2.TrailerFields.read(block).grpcStatus == UInt8(code), "\(text)")
        }
        block.removeAll()
        Self.fill(&block, [(":status", "200")])
        #expect(throws: HTTP2StreamError.self) { try HTTP2.TrailerFields.read(block) }
    }
}
