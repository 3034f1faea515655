// SPDX-License-Identifier: Apache-2.0

/// The four forms of a request target (RFC 9112 §3.2).
package enum TargetForm: UInt8, Sendable, BitwiseCopyable {
    /// `/path?query`
    case origin
    /// `http://host/path`, as sent to a proxy that the application knows of.
    case absolute
    /// `host:port`, for CONNECT only.
    case authority
    /// `*`, for OPTIONS only.
    case asterisk
}

/// A request target taken apart.
struct RequestTarget {
    let form: TargetForm
    /// Path and query; `*` for the asterisk form, empty for CONNECT.
    let path: ByteRange
    /// Host and port where the target names them.
    let authority: Authority?
    let authorityRange: ByteRange
    /// The port that the scheme of an absolute target implies.
    let defaultPort: UInt16?

    /// Takes `target` apart, whose bytes are all of ``ByteClass/target``.
    init(_ bytes: Span<UInt8>, _ target: ByteRange, method: Method) throws(HTTP1Error) {
        if method == .connect {
            guard let authority = Authority(bytes, target), authority.port != nil else { throw .malformedTarget }
            self.init(.authority, path: .empty, authority: authority, range: target)
        } else if bytes[target.lower] == .slash {
            self.init(.origin, path: target)
        } else if method == .options, bytes.equals(target, "*") {
            self.init(.asterisk, path: target)
        } else {
            try self.init(absolute: bytes, target)
        }
    }

    private init(absolute bytes: Span<UInt8>, _ target: ByteRange) throws(HTTP1Error) {
        var at = target.lower
        while at < target.upper, ByteClass.scheme.contains(bytes[at]) { at &+= 1 }
        let scheme = ByteRange(target.lower, at)
        let start = at &+ 3
        guard !scheme.isEmpty, bytes[target.lower].isLetter, start <= target.upper,
            bytes.equals(ByteRange(at, start), "://")
        else { throw .malformedTarget }
        at = start
        while at < target.upper, bytes[at] != .slash, bytes[at] != .questionMark { at &+= 1 }
        let range = ByteRange(start, at)
        guard let authority = Authority(bytes, range), !authority.host.isEmpty else { throw .malformedTarget }
        self.init(
            .absolute, path: ByteRange(at, target.upper), authority: authority, range: range,
            defaultPort: bytes.matches(scheme, "http") ? 80 : bytes.matches(scheme, "https") ? 443 : nil)
    }

    private init(
        _ form: TargetForm, path: ByteRange, authority: Authority? = nil, range: ByteRange = .empty,
        defaultPort: UInt16? = nil
    ) {
        self.form = form
        self.path = path
        self.authority = authority
        authorityRange = range
        self.defaultPort = defaultPort
    }
}
