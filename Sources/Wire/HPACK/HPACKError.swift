// SPDX-License-Identifier: Apache-2.0

/// Why a header block was refused: one case per rule.
///
/// After any of these the two dynamic tables differ for good, so each one is a connection error of type
/// COMPRESSION_ERROR (RFC 9113 §4.3). A decoder that has thrown must not be used again.
package enum HPACKError: UInt8, Error, CaseIterable, Sendable, BitwiseCopyable {
    /// The block ends inside a representation.
    case truncated
    /// An integer above ``HPACKInteger/maximum``, or one with more continuation bytes than any needs (RFC 7541 §5.1).
    case integerOverflow
    /// Index 0, or one past the end of the dynamic table (RFC 7541 §2.3.3, §6.1).
    case badIndex
    /// EOS in a string, or padding that is longer than 7 bits or not all ones (RFC 7541 §5.2).
    case badHuffman
    /// A table size update above what we announced (RFC 7541 §6.3).
    case tableSizeTooLarge
    /// A table size update after the first field of a block (RFC 7541 §4.2).
    case tableSizeUpdateNotFirst
    /// A third table size update in one block: two say all there is to say, the smallest size and the last (RFC 7541 §4.2).
    case tooManyTableSizeUpdates
}
