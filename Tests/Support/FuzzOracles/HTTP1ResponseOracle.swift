// SPDX-License-Identifier: Apache-2.0

import Wire

extension Oracle {
    /// Response heads, as answers to requests of the three kinds that change what follows.
    package static let http1Response = Oracle("http1-response") { bytes throws(Violation) in
        let outcomes = try Outcomes(bytes)
        for (method, outcome) in outcomes.all {
            switch outcome {
            case .incomplete:
                let full = bytes.array + [UInt8](repeating: 0x61, count: max(0, HTTP1.maximumHeadBytes - bytes.count))
                let late = Outcome(response: full.span, answering: method)
                try require(late != .incomplete, "a head is waited for up to a limit")
            case .refused: break
            case .head(let head, let fields):
                let reading = try HeadReading(bytes, head.byteCount, fields)
                try expectSound(head, method, reading)
                try expectSame(outcome, head, method, reading, bytes)
            }
        }
        try outcomes.expectAgreement()
    }
}

private struct Outcomes {
    let get, head, connect: Outcome<ResponseHead>

    var all: [(Method, Outcome<ResponseHead>)] { [(.get, get), (.head, head), (.connect, connect)] }

    init(_ bytes: Span<UInt8>) throws(Violation) {
        get = Outcome(response: bytes, answering: .get)
        head = Outcome(response: bytes, answering: .head)
        connect = Outcome(response: bytes, answering: .connect)
        for cut in fewCuts(bytes.count) {
            // One of the three for each place: what differs between them is decided at the very end.
            let (method, outcome) = all[cut % 3]
            let early = Outcome(response: bytes.extracting(first: cut), answering: method)
            try require(outcome.isConsistent(withPrefixOutcome: early), "\(outcome), but \(early) after \(cut) bytes")
        }
    }

    /// The method changes how a body ends, never where the head does.
    func expectAgreement() throws(Violation) {
        try require(get.error == head.error, "a response to HEAD is refused as one to GET is")
        try require(get.head?.byteCount == head.head?.byteCount, "a response to HEAD ends as one to GET does")
        try require(get.fields == head.fields, "a response to HEAD has the fields of one to GET")
        guard let get = get.head else { return }
        guard let connect = connect.head else { throw Violation("a tunnel refuses no response that others take") }
        try require(connect.byteCount == get.byteCount, "a response to CONNECT ends as one to GET does")
    }
}

private func expectSound(_ head: ResponseHead, _ method: Method, _ reading: HeadReading) throws(Violation) {
    try require(100...999 ~= head.status, "a status has three digits")
    let start = "HTTP/1.\(head.minorVersion) \(head.status)"
    try require(reading.startLine.starts(with: start.utf8), "the status line begins with \(start)")
    let isTunnel = method == .connect && 200..<300 ~= head.status
    try require(head.switchesProtocol == (isTunnel || head.status == 101), "101 and tunnels end HTTP")
    let hasNoBody = isTunnel || head.status < 200 || head.status == 204 || head.status == 304 || method == .head
    try require(!hasNoBody || head.framing == .none, "no body where none can be")
    try reading.expectOneLength(hasNoBody ? nil : head.framing)
    try require(
        hasNoBody || head.framing != .none || !reading.values(of: "content-length").isEmpty, "no body is announced")
    try require(head.framing != .chunked || head.minorVersion == 1, "HTTP/1.0 has no chunked bodies")
    try require(!head.isPersistent || head.framing != .untilClose, "a connection that ends a body is not kept")
    try require(!head.isPersistent || !head.switchesProtocol, "a connection that switches protocol is not kept")
    if !isTunnel, head.status < 200 || head.status == 204 {
        let lengths = reading.values(of: "content-length")
        try require(lengths.allSatisfy { $0.allSatisfy { $0 == 0x30 } }, "no length where no body can be")
        try require(reading.values(of: "transfer-encoding").isEmpty, "no coding where no body can be")
    }
}

/// Nothing behind the head has a say in it, and written differently it means the same.
private func expectSame(
    _ outcome: Outcome<ResponseHead>, _ head: ResponseHead, _ method: Method, _ reading: HeadReading,
    _ bytes: Span<UInt8>
) throws(Violation) {
    let alone = bytes.array(0..<head.byteCount)
    for tail in ["", "\r\n", " continued\r\n", "\0"] {
        let longer = alone + tail.utf8
        let other = Outcome(response: longer.span, answering: method)
        try require(other == outcome, "a head is the same whatever follows it")
    }
    let again = reading.rewritten(startLine: "HTTP/1.\(head.minorVersion) \(head.status)")
    let other = Outcome(response: again.span, answering: method)
    guard let other = other.head else { throw Violation("a head is accepted again when rewritten, not \(other)") }
    try require(
        other.byteCount == again.count && other.framing == head.framing && other.connection == head.connection
            && other.switchesProtocol == head.switchesProtocol && other.isPersistent == head.isPersistent,
        "a rewritten head means the same")
}
