// SPDX-License-Identifier: Apache-2.0

/// Whether bytes are, or may become, an HTTP/1 request line.
///
/// For the methods everyone knows, the test is what the peer means, not whether it is right: `GET  / http/1.1` is HTTP
/// and will be refused as such. Were it opaque, a sloppy line would be a way around everything done per request.
/// For other methods the line must be right, because many protocols begin with a word and a space.
enum RequestLine {
    static func classify(_ bytes: Span<UInt8>) -> Detect.Verdict {
        let at = bytes.endOfToken(from: 0)
        guard at <= HTTP1.maximumMethodBytes else { return .opaque }
        guard at < bytes.count else { return .needMore }
        guard at > 0, bytes[at] == .space else { return .opaque }
        let isKnown = Method(bytes, ByteRange(0, at)) != .other
        return isKnown ? classifyLoosely(bytes, from: at) : classifyStrictly(bytes, from: at)
    }

    /// A target, one space, `HTTP/1.`
    private static func classifyStrictly(_ bytes: Span<UInt8>, from space: Int) -> Detect.Verdict {
        let start = space &+ 1
        let at = bytes.endOfTarget(from: start)
        guard at < bytes.count else { return .needMore }
        guard at > start, bytes[at] == .space else { return .opaque }
        let rest = bytes.extracting(droppingFirst: at &+ 1)
        let matched = rest.commonPrefix(with: "HTTP/1.")
        if matched == 7 { return .http1 }
        return matched == rest.count ? .needMore : .opaque
    }

    /// Somewhere on the line a blank and `HTTP/`, in any case.
    private static func classifyLoosely(_ bytes: Span<UInt8>, from space: Int) -> Detect.Verdict {
        var at = space
        while at < bytes.count {
            guard bytes[at].isText else { return .opaque }  // the line ended, or is not one
            if bytes[at].isBlank, at &+ 6 <= bytes.count, bytes.matches(ByteRange(at &+ 1, at &+ 6), "http/") {
                return .http1
            }
            at &+= 1
        }
        // A target this long is legal, and nothing but HTTP sends "GET /" and thousands of visible bytes.
        let isPath = space &+ 1 < bytes.count && bytes[space &+ 1] == .slash
        return isPath && bytes.count >= Detect.maximumBytes ? .http1 : .needMore
    }
}
