// SPDX-License-Identifier: Apache-2.0

import Wire

extension Worker {
    /// Declines `Upgrade: h2c` for the application: it answers in HTTP/1.1, as any server may (RFC 9110 §7.8).
    ///
    /// HTTP/2 in the middle of an HTTP/1.1 connection would have to be followed blindly; RFC 9113 §3.1 has given it up, and
    /// whoever wants HTTP/2 begins with its preface. This is the one change that is ever made to a head, and it keeps the
    /// head's length: what offers h2c is overwritten by blanks, and fields that are left with nothing to say lose their name.
    /// `fields` has the head at the beginning of the chunk.
    mutating func declineH2C(_ chunk: Chunk) {
        var offers = false
        var offersOther = false
        forEachElement(of: "upgrade", chunk) { element in
            let isH2C = chunk.bytes.span.matches(element, "h2c")
            offers = offers || isH2C
            offersOther = offersOther || !isH2C && !element.isEmpty
            if isH2C { Worker.blank(chunk, element) }
        }
        guard offers else { return }
        forEachElement(of: "connection", chunk) { element in
            let bytes = chunk.bytes.span
            if bytes.matches(element, "http2-settings") || !offersOther && bytes.matches(element, "upgrade") {
                Worker.blank(chunk, element)
            }
        }
        for index in 0..<fields.count {
            let name = fields[index].name
            if !offersOther && chunk.bytes.span.matches(name, "upgrade") { Worker.overwrite(chunk, name, "h2c-off") }
            if chunk.bytes.span.matches(name, "http2-settings") { Worker.overwrite(chunk, name, "h2c-off-params") }
        }
    }

    /// Calls `body` for the elements of all fields of that name.
    private func forEachElement(of name: StaticString, _ chunk: Chunk, _ body: (ByteRange) -> Void) {
        for index in 0..<fields.count where chunk.bytes.span.matches(fields[index].name, name) {
            var list = CommaList(fields[index].value)
            while let element = list.next(in: chunk.bytes.span) { body(element) }
        }
    }

    private static func blank(_ chunk: Chunk, _ range: ByteRange) {
        let memory = UnsafeMutableRawPointer(mutating: chunk.base)
        for at in range.indices { memory.storeBytes(of: 0x20, toByteOffset: at, as: UInt8.self) }
    }

    private static func overwrite(_ chunk: Chunk, _ range: ByteRange, _ text: StaticString) {
        assert(range.count == text.utf8CodeUnitCount)
        UnsafeMutableRawPointer(mutating: chunk.base + Int(range.start))
            .copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    }
}
