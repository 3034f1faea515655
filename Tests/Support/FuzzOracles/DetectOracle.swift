// SPDX-License-Identifier: Apache-2.0

import Wire

extension Oracle {
    /// Detection: a verdict once given stands, comes in time, and agrees with the parsers that it sends bytes to.
    package static let detect = Oracle("detect") { bytes throws(Violation) in
        let verdict = Detect.classify(bytes)
        var decided = Detect.Verdict.needMore
        for cut in fewCuts(bytes.count) {
            let early = Detect.classify(bytes.extracting(first: cut))
            try require(early == .needMore || early == verdict, "\(verdict), but \(early) after \(cut) bytes")
            try require(decided == .needMore || early == decided, "\(early) after \(decided)")
            decided = early
        }
        let array = bytes.array
        if verdict == .needMore {
            try require(bytes.count < Detect.maximumBytes, "a verdict is given by the limit")
            for filler in [0x20, 0x61, 0x2f] as [UInt8] {
                let full = array + [UInt8](repeating: filler, count: Detect.maximumBytes - bytes.count)
                try require(Detect.classify(full.span) != .needMore, "a verdict is given by the limit")
            }
        } else {
            for tail in ["\r\n\r\n", " HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u{16}\u{3}\u{1}", "\0"] {
                let longer = array + tail.utf8
                try require(Detect.classify(longer.span) == verdict, "a verdict stands")
            }
        }
        try expectAgreement(verdict, array)
    }
}

private func expectAgreement(_ verdict: Detect.Verdict, _ bytes: [UInt8]) throws(Violation) {
    let isPreface = bytes.starts(with: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    try require((verdict == .http2Preface) == isPreface, "the preface is what HTTP/2 begins with")
    try require(verdict != .tls || bytes.starts(with: [0x16, 3]) && bytes[5] == 1, "TLS begins with a ClientHello")
    if verdict == .http1 {
        let method = bytes.prefix { $0 != 0x20 }
        try require(1...HTTP1.maximumMethodBytes ~= method.count, "a request begins with a method")
        try require(method.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "a method is visible")
    }
    if case .name = ClientHello.serverName(bytes.span), bytes[2] <= 4 {
        try require(verdict == .tls, "what names a server is TLS, not \(verdict)")
    }
    if verdict == .opaque, let head = Outcome(request: bytes.span).head {
        // Two that pass on purpose: an empty line first, and an unknown method whose target is longer than we look.
        try require(
            head.methodRange.start > 0 || Int(head.target.end) + " HTTP/1.".utf8.count > Detect.maximumBytes,
            "what is a request is not opaque")
    }
}
