// SPDX-License-Identifier: Apache-2.0

/// The name of a trailer field while it goes by, possibly in many reads.
///
/// A hash instead of a copy keeps the decoder small and of fixed size. It errs to the safe side: every forbidden name
/// is recognised, and another is taken for one once in 2^64.
struct TrailerName: Hashable, Sendable, BitwiseCopyable {
    private var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a

    init() {}

    private init(_ name: StaticString) {
        for index in 0..<name.utf8CodeUnitCount { unsafe append(name.utf8Start[index]) }
    }

    mutating func append(_ byte: UInt8) {
        hash = (hash ^ UInt64(byte.lowercased)) &* 0x0000_0100_0000_01b3
    }

    /// Fields that frame, route, authenticate or decode a message, or steer the connection, come too late in a trailer
    /// (RFC 9110 §6.5.1); a recipient that merges them into the head would see another message.
    var isForbidden: Bool {
        let names: InlineArray<18, StaticString> = [
            "content-length", "transfer-encoding", "host", "connection", "keep-alive", "proxy-connection", "upgrade",
            "te", "trailer", "expect", "max-forwards", "authorization", "proxy-authorization", "cookie", "set-cookie",
            "content-type", "content-encoding", "content-range",
        ]
        for index in names.indices where TrailerName(names[index]) == self { return true }
        return false
    }
}
