// SPDX-License-Identifier: Apache-2.0

extension UInt8 {
    static var horizontalTab: UInt8 { 0x09 }
    static var lineFeed: UInt8 { 0x0a }
    static var carriageReturn: UInt8 { 0x0d }
    static var space: UInt8 { 0x20 }
    static var quote: UInt8 { 0x22 }
    static var comma: UInt8 { 0x2c }
    static var slash: UInt8 { 0x2f }
    static var colon: UInt8 { 0x3a }
    static var semicolon: UInt8 { 0x3b }
    static var equals: UInt8 { 0x3d }
    static var questionMark: UInt8 { 0x3f }
    static var leftBracket: UInt8 { 0x5b }
    static var backslash: UInt8 { 0x5c }
    static var rightBracket: UInt8 { 0x5d }

    var isDigit: Bool { self &- 0x30 < 10 }
    var isLetter: Bool { (self | 0x20) &- 0x61 < 26 }
    var isBlank: Bool { self == .space || self == .horizontalTab }

    /// What may stand in a field value, a reason phrase or a quoted string: anything but control bytes.
    /// Bytes from 0x80 up are `obs-text`: opaque, and in use.
    var isText: Bool { self >= 0x20 ? self != 0x7f : self == .horizontalTab }

    /// The same letter in lower case; every other byte unchanged.
    var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}

extension Span where Element == UInt8 {
    /// Whether the bytes of `range` are `literal`, byte for byte.
    package func equals(_ range: ByteRange, _ literal: StaticString) -> Bool {
        guard range.count == literal.utf8CodeUnitCount else { return false }
        for index in 0..<range.count where unsafe self[range.lower &+ index] != literal.utf8Start[index] {
            return false
        }
        return true
    }

    /// Whether the bytes of `range` are `literal` in any case. `literal` is written in lower case.
    package func matches(_ range: ByteRange, _ literal: StaticString) -> Bool {
        guard range.count == literal.utf8CodeUnitCount else { return false }
        for index in 0..<range.count where unsafe self[range.lower &+ index].lowercased != literal.utf8Start[index] {
            return false
        }
        return true
    }

    /// Whether two ranges hold the same bytes, letters in any case.
    package func matches(_ range: ByteRange, _ other: ByteRange) -> Bool {
        guard range.count == other.count else { return false }
        for index in 0..<range.count {
            guard self[range.lower &+ index].lowercased == self[other.lower &+ index].lowercased else { return false }
        }
        return true
    }
}
