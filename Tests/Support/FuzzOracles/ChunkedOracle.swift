// SPDX-License-Identifier: Apache-2.0

import Wire

extension Oracle {
    /// Chunked bodies: the same in any pieces, and their end where a reader of another kind finds it.
    package static let chunked = Oracle("chunked") { bytes throws(Violation) in
        let whole = Decoded(bytes)
        try require(Decoded(bytes, cutAt: 0..<bytes.count) == whole, "a body is the same byte by byte")
        let cuts = fewCuts(bytes.count)
        try require(Decoded(bytes, cutAt: cuts) == whole, "a body is the same in many pieces")
        for cut in cuts { try require(Decoded(bytes, cutAt: CollectionOfOne(cut)) == whole, "cut at \(cut)") }
        try require(whole.consumed <= bytes.count, "no more is consumed than there is")
        try require(whole.payload <= UInt64(whole.consumed), "no more is payload than was consumed")
        if let error = whole.error {
            try require([400, 431].contains(error.httpStatus), "\(error) is the sender's fault")
        } else if whole.isComplete {
            try expectSound(whole, bytes)
        } else {
            try require(whole.consumed == bytes.count, "what may go on is consumed whole")
            try expectLimit(whole, bytes)
        }
    }
}

private func expectSound(_ whole: Decoded, _ bytes: Span<UInt8>) throws(Violation) {
    let body = bytes.array(0..<whole.consumed)
    try require(Decoded(body.span) == whole, "a body is the same without what follows it")
    let shorter = Decoded(body.span.extracting(droppingLast: 1))
    try require(!shorter.isComplete && shorter.error == nil, "a body ends with its last byte and not before")

    let chunks = try payload(of: body)
    try require(UInt64(chunks.reduce(0) { $0 + $1.count }) == whole.payload, "the payload is counted")
    let plain = chunks.reduce(into: [UInt8]()) { body, chunk in
        body += Array((String(chunk.count, radix: 16, uppercase: true) + "\r\n").utf8) + chunk + [0x0d, 0x0a]
    }
    let ended = plain + Array("0\r\n\r\n".utf8)
    let again = Decoded(ended.span)
    try require(again.isComplete && again.payload == whole.payload, "its chunks make a body of the same payload")
}

/// The chunks as a reader sees them that looks for line ends and believes every size.
private func payload(of body: [UInt8]) throws(Violation) -> [[UInt8]] {
    var chunks: [[UInt8]] = []
    var rest = body[...]
    func line() throws(Violation) -> ArraySlice<UInt8> {
        guard let end = rest.firstIndex(of: 0x0a), end > rest.startIndex, rest[end - 1] == 0x0d else {
            throw Violation("every line ends with CR LF")
        }
        defer { rest = rest[(end + 1)...] }
        return rest[..<(end - 1)]
    }
    while true {
        let size = try line().prefix { $0 != 0x3b }
        guard let count = Int(String(decoding: size, as: UTF8.self), radix: 16), count <= rest.count else {
            throw Violation("a size is a number that fits")
        }
        guard count > 0 else { break }
        chunks.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
        try require(try line().isEmpty, "a line end follows every chunk")
    }
    var trailers = 0
    while true {
        let trailer = try line()
        if trailer.isEmpty { break }
        trailers += 1
        guard let colon = trailer.firstIndex(of: 0x3a) else { throw Violation("a trailer has a colon") }
        let name = trailer[..<colon].lowercaseText
        try require(!name.isEmpty && !name.contains { " \t".contains($0) }, "a trailer has a name")
        try require(
            !["content-length", "transfer-encoding", "host", "connection", "te", "trailer"].contains(name),
            "\(name) is no trailer")
    }
    try require(rest.isEmpty, "a body ends with the first empty line after its last chunk")
    try require(trailers <= HTTP1.maximumFields, "there are no more trailers than their limit")
    return chunks
}

/// Outside the data no line goes on for ever.
private func expectLimit(_ whole: Decoded, _ bytes: Span<UInt8>) throws(Violation) {
    let more = HTTP1.maximumTrailerBytes + HTTP1.maximumChunkExtensionBytes
    let full = bytes.array + [UInt8](repeating: 0x61, count: more)
    let longer = Decoded(full.span)
    try require(longer.error != nil || longer.payload == whole.payload + UInt64(more), "a line ends or is refused")
}
