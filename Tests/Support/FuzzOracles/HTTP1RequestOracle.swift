// SPDX-License-Identifier: Apache-2.0

import Wire

extension Oracle {
    /// Request heads: the same wherever reads end, and, once accepted, to be read in one way only.
    package static let http1Request = Oracle("http1-request") { bytes throws(Violation) in
        let outcome = Outcome(request: bytes)
        for cut in fewCuts(bytes.count) {
            let early = Outcome(request: bytes.extracting(first: cut))
            try require(outcome.isConsistent(withPrefixOutcome: early), "\(outcome), but \(early) after \(cut) bytes")
        }
        switch outcome {
        case .incomplete:
            let full = bytes.array + [UInt8](repeating: 0x61, count: max(0, HTTP1.maximumHeadBytes - bytes.count))
            try require(Outcome(request: full.span) != .incomplete, "a head is waited for up to a limit")
        case .refused(let error):
            try require([400, 431, 501, 505].contains(error.httpStatus), "\(error) is the downstream's fault")
        case .head(let head, let fields):
            let reading = try HeadReading(bytes, head.byteCount, fields)
            try expectSound(head, reading, bytes)
            try expectIndependenceOfBody(outcome, head.byteCount, bytes)
            try expectSameMeaning(head, reading, bytes)
            try expectDetection(head, bytes)
        }
    }
}

private func expectSound(_ head: RequestHead, _ reading: HeadReading, _ bytes: Span<UInt8>) throws(Violation) {
    let words = reading.startLine.split(separator: 0x20, omittingEmptySubsequences: false)
    try require(words.count == 3, "a request line has three words")
    try require(bytes.array(head.methodRange) == Array(words[0]), "the method is where it is")
    try require(bytes.array(head.target) == Array(words[1]), "the target is where it is")
    try require(Array(words[2]) == Array("HTTP/1.\(head.minorVersion)".utf8), "the version is what it is")
    try require(head.methodRange.count <= HTTP1.maximumMethodBytes, "a method is not longer than its limit")
    try require(
        head.path.isEmpty || head.path.start >= head.target.start && head.path.end <= head.target.end,
        "the path is part of the target")

    try reading.expectOneLength(head.framing)
    try require(head.framing != .untilClose, "a request does not end with the connection")
    try require(head.framing != .chunked || head.minorVersion == 1, "HTTP/1.0 has no chunked bodies")
    try require(head.method != .connect || head.framing == .none, "CONNECT has no body")
    try require(head.minorVersion == 1 || !head.expectsContinue && !head.hasUpgrade, "HTTP/1.0 waits for nothing")
    try require(!head.hasUpgrade || !reading.values(of: "upgrade").isEmpty, "an upgrade is asked for")

    let hosts = reading.values(of: "host")
    try require(hosts.count == 1 || hosts.isEmpty && head.minorVersion == 0, "there is one Host")
    let authority = bytes.array(head.authority)
    switch head.targetForm {
    case .origin, .asterisk: try require(authority == hosts.first ?? [], "the authority is the Host")
    case .authority: try require(authority == Array(words[1]), "the authority is the target")
    case .absolute:
        try require(!authority.isEmpty && words[1].lowercaseText.contains("://"), "an absolute target names a host")
        guard let host = hosts.first else { break }
        try require(hostName(authority) == hostName(host), "target and Host name one host")
    }
    try require(!authority.contains { $0 <= 0x20 || $0 >= 0x7f || $0 == 0x40 }, "an authority is a host and a port")
}

/// Without the port, in lower case.
private func hostName(_ authority: [UInt8]) -> String {
    let isLiteral = authority.first == 0x5b
    return authority.prefix { $0 != (isLiteral ? 0x5d : 0x3a) }.lowercaseText
}

/// Nothing behind the head has a say in it.
private func expectIndependenceOfBody(
    _ outcome: Outcome<RequestHead>, _ byteCount: Int, _ bytes: Span<UInt8>
) throws(Violation) {
    let head = bytes.array(0..<byteCount)
    try require(Outcome(request: head.span) == outcome, "a head is the same without what follows it")
    for tail in ["\r\nHost: other\r\n\r\n", " continued\r\n", "\0", "GET / HTTP/1.1\r\n\r\n"] {
        let longer = head + tail.utf8
        try require(Outcome(request: longer.span) == outcome, "a head is the same whatever follows it")
    }
}

/// A head that was written differently, but says the same, means the same.
private func expectSameMeaning(_ head: RequestHead, _ reading: HeadReading, _ bytes: Span<UInt8>) throws(Violation) {
    let again = reading.rewritten(startLine: String(decoding: reading.startLine, as: UTF8.self))
    guard again.count <= HTTP1.maximumHeadBytes else { return }
    let outcome = Outcome(request: again.span)
    guard let other = outcome.head else { throw Violation("a head is accepted again when rewritten, not \(outcome)") }
    try require(other.byteCount == again.count, "a rewritten head has no body")
    try require(
        other.method == head.method && other.targetForm == head.targetForm && other.connection == head.connection
            && other.expectsContinue == head.expectsContinue && other.hasUpgrade == head.hasUpgrade
            && other.framing == head.framing && other.isPersistent == head.isPersistent
            && again.span.array(other.path) == bytes.array(head.path)
            && again.span.array(other.authority) == bytes.array(head.authority),
        "a rewritten head means the same")
}

/// What is a request to the parser is one to detection, or it would pass as opaque.
private func expectDetection(_ head: RequestHead, _ bytes: Span<UInt8>) throws(Violation) {
    // An empty line before the first request is not forgiven there.
    guard head.methodRange.start == 0, Int(head.target.end) + " HTTP/1.".utf8.count <= Detect.maximumBytes else {
        return
    }
    let verdict = Detect.classify(bytes)
    try require(verdict == .http1, "an accepted request is detected as HTTP/1, not \(verdict)")
}
