// SPDX-License-Identifier: Apache-2.0

import FuzzOracles
import Testing

@testable import Wire

@Suite("scanning")
struct ScanningTests {
    static let alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

    @Test("the byte classes hold the characters they are named for")
    func classes() {
        func members(_ class: ByteClass) -> Set<UInt8> { Set((UInt8.min...UInt8.max).filter(`class`.contains)) }
        let letters = Self.alphanumeric
        #expect(members(.token) == Set((letters + "!#$%&'*+-.^_`|~").utf8))
        #expect(members(.target) == Set(0x21...0x7e).subtracting([0x23]))
        #expect(members(.registeredName) == Set((letters + "-._~!$&'()*+;=").utf8))
        #expect(members(.addressLiteral) == Set("0123456789abcdefABCDEF:.".utf8))
        #expect(members(.scheme) == Set((letters + "+-.").utf8))
        #expect(members(.hostName) == Set((letters + "-._").utf8))
    }

    /// Every byte value at every place in and beyond one word, among neighbours that invite carries and borrows.
    @Test("eight bytes at a time find what one at a time finds", arguments: [0x61, 0x7e, 0x21, 0x2d, 0x80, 0xff, 0x09])
    func scans(neighbour: UInt8) {
        func naive(_ bytes: [UInt8], _ isMember: (UInt8) -> Bool) -> Int {
            bytes.firstIndex { !isMember($0) } ?? bytes.count
        }
        for place in 0..<19 {
            for byte in UInt8.min...UInt8.max {
                var bytes = [UInt8](repeating: neighbour, count: 19)
                bytes[place] = byte
                let ends = [
                    bytes.span.endOfText(from: 0), bytes.span.endOfToken(from: 0), bytes.span.endOfTarget(from: 0),
                ]
                let wanted = [
                    naive(bytes, \.isText), naive(bytes, ByteClass.token.contains),
                    naive(bytes, ByteClass.target.contains),
                ]
                guard ends == wanted else {
                    Issue.record("\(bytes): \(ends), not \(wanted)")
                    return
                }
            }
        }
    }

    @Test("comparison ignores the case of letters only")
    func comparison() {
        let bytes = Array("Content-Type[@`{".utf8)
        func matches(_ range: ByteRange, _ literal: StaticString) -> Bool { bytes.span.matches(range, literal) }
        func equals(_ range: ByteRange, _ literal: StaticString) -> Bool { bytes.span.equals(range, literal) }
        #expect(matches(ByteRange(0, 12), "content-type") && !matches(ByteRange(0, 11), "content-type"))
        #expect(equals(ByteRange(0, 12), "Content-Type") && !equals(ByteRange(0, 12), "content-type"))
        #expect(!matches(ByteRange(12, 13), "{") && !matches(ByteRange(13, 14), "`"))
    }

    @Test("a list gives every element, empty ones too")
    func lists() {
        func elements(_ text: String) -> [String] {
            let bytes = Array(text.utf8)
            var list = CommaList(ByteRange(0, bytes.count))
            var found: [String] = []
            while let element = list.next(in: bytes.span) { found.append(bytes.text(element)) }
            return found
        }
        #expect(elements("a, b\t,c ") == ["a", "b", "c"])
        #expect(elements("") == [""] && elements(",") == ["", ""] && elements(" a b , ") == ["a b", ""])
    }
}
