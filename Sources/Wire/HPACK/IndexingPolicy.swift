// SPDX-License-Identifier: Apache-2.0

/// Which fields the encoder puts into the dynamic table.
///
/// An entry that is never used again costs more than a literal: both sides copy it, and it drives out one that would
/// have been used.
enum IndexingPolicy: Sendable {
    /// Everything but sensitive fields, as the examples of RFC 7541 Appendix C do. For tests.
    case everything
    /// What the proxy uses.
    case selective

    /// Whether a field with this static name may be indexed at all.
    @inline(__always)
    func allows(nameToken: UInt8) -> Bool {
        self == .everything || Self.literalNames &>> UInt64(nameToken) & 1 == 0
    }

    /// Whether a field with this name is indexed only when its value has been sent before: paths, because those of
    /// REST calls hardly ever come again and those of gRPC always do, and all names that are not static, which
    /// covers request and trace ids (x-request-id, traceparent, b3) whatever they are called.
    @inline(__always)
    func waits(nameToken: UInt8) -> Bool { self != .everything && (nameToken == 0 || nameToken == 4) }

    /// Whether an entry of that size is worth its place: more than a quarter of the table would drive out too many.
    @inline(__always)
    func allows(size: Int, limit: Int) -> Bool { self == .everything || size <= limit &>> 2 }

    /// Bit n stands for token n; a test rebuilds it from these names.
    ///
    /// authorization, cookie, proxy-authorization, set-cookie: one connection carries the requests of many downstreams,
    /// and whoever sees lengths could find out by guessing what another one's secret is (RFC 7541 §7.1.1). They
    /// are not marked as never indexed if the sender did not, because that would protect nothing: whoever passes them
    /// on next must decide the same.
    ///
    /// age, content-length, content-range, date, etag, expires, if-match, if-modified-since, if-none-match, if-range,
    /// if-unmodified-since, last-modified, location, range, retry-after: another value in each message.
    static let literalNames: UInt64 = 0x00a6_5f97_50a0_0000
}

/// Remembers roughly which hashes came lately, in 128 bytes; forgets when others come in their place. Being wrong
/// means an entry too many or one message too late.
struct RecentHashes: ~Copyable {
    private var slots = InlineArray<64, UInt16>(repeating: 0)

    /// Whether this one was there; it is afterwards.
    mutating func contains(orInserts hash: UInt64) -> Bool {
        let slot = Int(truncatingIfNeeded: hash & 63)
        let mark = UInt16(truncatingIfNeeded: hash &>> 16) | 1
        if slots[slot] == mark { return true }
        slots[slot] = mark
        return false
    }
}
