// SPDX-License-Identifier: Apache-2.0

import Wire

/// The fields of an HTTP/2 message that was accepted, read a second time by name.
struct Message {
    private let fields: [PlainField]
    /// The pseudo-fields, by name.
    let pseudo: [String: [UInt8]]

    init(_ fields: [PlainField]) {
        self.fields = fields
        pseudo = Dictionary(
            fields.filter { $0.name.first == 0x3a }.map { (String(decoding: $0.name, as: UTF8.self), $0.value) },
            uniquingKeysWith: { first, _ in first })
    }

    private func values(_ name: String) -> [[UInt8]] { fields.filter { $0.name == Array(name.utf8) }.map(\.value) }

    /// RFC 9113 §8.2 and §8.3: nothing in a name or value that parts it in HTTP/1, nothing that speaks of a connection.
    func expectRegular() throws(Violation) {
        var isRegular = false
        for field in fields {
            let isPseudo = field.name.first == 0x3a
            try require(!isPseudo || !isRegular, "pseudo-fields come first")
            isRegular = isRegular || !isPseudo
            let name = isPseudo ? field.name.dropFirst() : field.name[...]
            try require(!name.isEmpty, "a field has a name")
            try require(
                name.allSatisfy { byte in
                    byte.isAlphabetic && byte.lowercase == byte || (0x30...0x39).contains(byte)
                        || "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }, "a name is a token in lower case")
            try require(!field.value.contains { $0 == 0 || $0 == 0x0a || $0 == 0x0d }, "a value is one line")
            let ends = [field.value.first, field.value.last]
            try require(!ends.contains(0x20) && !ends.contains(0x09), "a value has no blanks around it")
        }
        try require(pseudo.count == fields.count { $0.name.first == 0x3a }, "a pseudo-field is given once")
        for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] {
            try require(values(name).isEmpty, "\(name) has no place here")
        }
        try require(values("te").allSatisfy { $0.lowercaseText == "trailers" }, "te is for trailers")
        try require(
            Set(values("content-length").map { String(decoding: $0, as: UTF8.self) }.map { Int($0) }).count <= 1,
            "one length")
    }

    func expectLength(_ length: Int64) throws(Violation) {
        guard let value = values("content-length").first else { return try require(length == -1, "no length is -1") }
        try require(value.allSatisfy { (0x30...0x39).contains($0) }, "a length is digits")
        try require(Int64(String(decoding: value, as: UTF8.self)) == length, "a length is what it is")
    }

    /// §8.3.1 and RFC 8441.
    func expectRequest(_ request: HTTP2.RequestFields, _ block: borrowing FieldBlock) throws(Violation) {
        try expectRegular()
        try expectLength(request.contentLength)
        let known: Set = [":method", ":scheme", ":path", ":authority", ":protocol"]
        try require(known.isSuperset(of: pseudo.keys), "a request has no other pseudo-fields")
        let store = UnsafeRawBufferPointer(start: block.bytes, count: block.listBytes)
        let bytes = { (range: ByteRange) in range.isEmpty ? [] : Array(store[range.indices]) }
        guard let method = pseudo[":method"] else { throw Violation("a request has a method") }
        try require(bytes(request.methodRange) == method && !method.isEmpty, "the method is what it is")
        try require(method.count <= HTTP1.maximumMethodBytes, "a method is not longer than its limit")
        try require((request.method == .connect) == (method == Array("CONNECT".utf8)), "CONNECT is told")
        try require(bytes(request.path) == pseudo[":path"] ?? [], "the path is what it is")
        try require(bytes(request.protocol) == pseudo[":protocol"] ?? [], "the protocol is what it is")
        try require(
            bytes(request.authority) == pseudo[":authority"] ?? values("host").first ?? [],
            "the authority is what it is")
        if let authority = pseudo[":authority"] {
            try require(values("host").allSatisfy { $0.lowercaseText == authority.lowercaseText }, "two hosts are one")
        }
        try require(values("host").count <= 1, "one host")
        if request.method == .connect, pseudo[":protocol"] == nil {
            try require(pseudo[":scheme"] == nil && pseudo[":path"] == nil, "CONNECT has an authority and no more")
            try require(pseudo[":authority"] != nil, "CONNECT has an authority")
        } else {
            try require(
                pseudo[":scheme"]?.isEmpty == false && pseudo[":path"]?.isEmpty == false, "a request has a path")
            try require(pseudo[":protocol"] == nil || request.method == .connect, "a protocol is for CONNECT")
        }
    }
}
