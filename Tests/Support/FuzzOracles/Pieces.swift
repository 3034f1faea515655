// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Where to cut `count` bytes: everywhere if they are few, at both ends and every so often if they are many.
package func cuts(_ count: Int) -> [Int] {
    guard count > 2_000 else { return Array(0...count) }
    return Array(0..<300) + Array(stride(from: 300, to: count - 300, by: max(1, count / 60)))
        + Array(count - 300...count)
}

/// The same, thousands of times a second: the places in the middle move with the length, and so with every input.
package func fewCuts(_ count: Int) -> [Int] {
    guard count > 48 else { return Array(0..<count) }
    return Array(0..<12) + Array(stride(from: 12 + count % 11, to: count - 12, by: max(1, count / 24)))
        + Array(count - 12..<count)
}

extension Span<UInt8> {
    /// A copy of the bytes of `range`.
    package func array(_ range: Range<Int>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            for index in range { buffer.initializeElement(at: index - range.lowerBound, to: self[index]) }
            count = range.count
        }
    }

    /// A copy of the bytes of `range`.
    package func array(_ range: ByteRange) -> [UInt8] { array(range.indices) }

    /// A copy of all bytes.
    package var array: [UInt8] { array(0..<count) }
}

extension Collection<UInt8> {
    /// The bytes of `range`, as text to look at.
    package func text(_ range: ByteRange) -> String {
        String(decoding: Array(self)[range.indices], as: UTF8.self)
    }
}

extension UInt8 {
    var lowercase: UInt8 { (0x41...0x5a).contains(self) ? self + 0x20 : self }
    var isAlphabetic: Bool { (0x61...0x7a).contains(lowercase) }
}

extension Sequence<UInt8> {
    /// Letters in lower case, as text.
    var lowercaseText: String { String(decoding: map(\.lowercase), as: UTF8.self) }
}
