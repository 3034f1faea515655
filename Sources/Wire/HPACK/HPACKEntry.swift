// SPDX-License-Identifier: Apache-2.0

/// One entry of the static or the dynamic table: where its name lies in the table's bytes; the value follows at once,
/// so that both can be copied together.
struct HPACKEntry: BitwiseCopyable {
    /// Offset of the name. For the dynamic table it counts all bytes ever inserted, modulo 2^32.
    let start: UInt32
    let nameCount: UInt16
    let valueCount: UInt16
    /// As in ``FieldBlock/Field/nameToken``.
    let nameToken: UInt8

    /// Name and value together.
    var byteCount: Int { Int(nameCount) &+ Int(valueCount) }
    /// What the entry counts for in a table or a list (RFC 7541 §4.1).
    var size: Int { byteCount &+ Self.overhead }

    /// What an entry costs beyond its bytes (RFC 7541 §4.1, RFC 9113 §6.5.2).
    static let overhead = 32
}
