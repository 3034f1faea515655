// SPDX-License-Identifier: Apache-2.0

package import Wire

/// A second reading of an accepted head by other means, line by line, looking for what a laxer peer could see differently.
package struct HeadReading {
    /// The first line that is not empty.
    let startLine: [UInt8]
    /// The field lines, blanks around the values removed.
    let fields: [(name: [UInt8], value: [UInt8])]

    /// Reads the first `byteCount` bytes, which have been taken for a head with `fields`.
    package init(_ bytes: Span<UInt8>, _ byteCount: Int, _ fields: [FieldTable.Field]) throws(Violation) {
        try require(byteCount <= bytes.count, "a head is not longer than the input")
        try require(byteCount <= HTTP1.maximumHeadBytes, "a head is not longer than its limit")
        try require(fields.count <= HTTP1.maximumFields, "there are no more fields than their limit")
        var lines = try HeadReading.lines(bytes.array(0..<byteCount))
        while lines.first?.isEmpty == true { lines.removeFirst() }
        try require(lines.count == fields.count + 1, "\(fields.count) fields for \(lines.count) lines")
        startLine = Array(lines[0])
        var read: [(name: [UInt8], value: [UInt8])] = []
        for (line, field) in zip(lines.dropFirst(), fields) {
            guard let colon = line.firstIndex(of: 0x3a) else { throw Violation("a field line has a colon") }
            let name = Array(line[..<colon])
            let value = HeadReading.trimmed(line[(colon + 1)...])
            try require(!name.isEmpty && !name.contains { $0 <= 0x20 || $0 >= 0x7f }, "a name is visible ASCII")
            try require(name == bytes.array(field.name), "the name is where it is")
            try require(value == bytes.array(field.value), "the value is where it is")
            read.append((name, value))
        }
        self.fields = read
    }

    /// The lines before the empty one at the end, having seen that each ends with CR LF and holds no control byte.
    private static func lines(_ head: [UInt8]) throws(Violation) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        for (index, byte) in head.enumerated() {
            switch byte {
            case 0x0a: try require(index > 0 && head[index - 1] == 0x0d, "no bare line feed")
            case 0x0d:
                try require(index + 1 < head.count && head[index + 1] == 0x0a, "no bare carriage return")
                lines.append(head[start..<index])
                start = index + 2
            case 0x09: break
            default: try require(byte >= 0x20 && byte != 0x7f, "no control byte, such as \(byte)")
            }
        }
        try require(start == head.count && lines.last?.isEmpty == true, "the head ends with an empty line")
        return lines.dropLast()
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        var rest = bytes.drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return Array(rest)
    }

    /// The values of every field of that name, written in lower case.
    func values(of name: String) -> [[UInt8]] {
        fields.filter { $0.name.count == name.utf8.count && $0.name.lowercaseText == name }.map(\.value)
    }

    /// Throws unless the fields announce one length at most, and it is `framing`; `nil` where lengths mean nothing.
    package func expectOneLength(_ framing: BodyFraming?) throws(Violation) {
        let (lengths, codings) = (values(of: "content-length"), values(of: "transfer-encoding"))
        try require(lengths.count + codings.count <= 1, "Content-Length and Transfer-Encoding come to one at most")
        guard let framing else { return }
        if let length = lengths.first {
            let text = String(decoding: length, as: UTF8.self)
            try require(length.allSatisfy { (0x30...0x39).contains($0) }, "a length is digits, not \(text)")
            guard let count = Int64(text) else { throw Violation("a length is a signed word, not \(text)") }
            try require(framing == (count == 0 ? .none : .length(UInt64(count))), "\(framing) is the length \(text)")
        } else if let coding = codings.first {
            let elements = coding.lowercaseText.split(separator: ",").map { HeadReading.trimmed(Array($0.utf8)[...]) }
            let chunked = Array("chunked".utf8)
            try require(framing == .chunked, "\(framing) is chunked")
            try require(elements.last == chunked && !elements.dropLast().contains(chunked), "chunked once and last")
        } else {
            try require(framing == .none || framing == .untilClose, "\(framing) is not announced")
        }
    }

    /// The head written anew: one space here, none there, fields in reverse, names in the other case. To every peer it
    /// says the same.
    func rewritten(startLine: String) -> [UInt8] {
        var head = Array((startLine + "\r\n").utf8)
        for (name, value) in fields.reversed() {
            head += name.map { $0.isAlphabetic ? $0 ^ 0x20 : $0 } + [0x3a] + value + [0x0d, 0x0a]
        }
        return head + [0x0d, 0x0a]
    }
}
