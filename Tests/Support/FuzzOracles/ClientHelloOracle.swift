// SPDX-License-Identifier: Apache-2.0

import Wire

extension Oracle {
    /// Server names: the same wherever reads end, and the same as in a message that was put together first.
    package static let clientHello = Oracle("clienthello") { bytes throws(Violation) in
        let found = ClientHello.serverName(bytes)
        for cut in fewCuts(bytes.count) {
            let early = ClientHello.serverName(bytes.extracting(first: cut))
            try require(early == .needMore || early == found, "\(found), but \(early) after \(cut) bytes")
        }
        let array = bytes.array
        switch found {
        case .needMore:
            try require(bytes.count < ClientHello.maximumBytes, "a hello is waited for up to a limit")
            let full = array + [UInt8](repeating: 1, count: ClientHello.maximumBytes - bytes.count)
            try require(ClientHello.serverName(full.span) != .needMore, "a hello is waited for up to a limit")
            return
        case .name(let range):
            try require(Int(range.end) <= bytes.count, "a name is where there are bytes")
            try require(1...253 ~= range.count, "a name is not longer than names are")
            let isShown = { (byte: UInt8) in
                byte.isAlphabetic || (0x30...0x39).contains(byte) || "-._".utf8.contains(byte)
            }
            try require(bytes.array(range).allSatisfy(isShown), "a name can be shown")
        case .none, .notClientHello: break
        }
        let range: ByteRange? = if case .name(let range) = found { range } else { nil }
        let other = AssembledHello(array.prefix(ClientHello.maximumBytes)).serverName
        try require(range?.indices == other, "found \(found), but put together it is at \(String(describing: other))")
        for tail: [UInt8] in [[0], [0x16, 3, 1, 0, 1, 0], [0xff]] {
            let longer = array + tail
            try require(ClientHello.serverName(longer.span) == found, "a name stands")
        }
    }
}

/// A handshake message put together from its records, and where each of its bytes came from.
private struct AssembledHello {
    private var bytes: [UInt8] = []
    private var origins: [Int] = []

    init(_ stream: ArraySlice<UInt8>) {
        var at = 0
        while at + 5 <= stream.count, stream[at] == 0x16, stream[at + 1] == 3 {
            let length = Int(stream[at + 3]) << 8 | Int(stream[at + 4])
            guard 1...16_384 ~= length else { return }
            let fragment = stream[(at + 5)..<min(stream.count, at + 5 + length)]
            bytes += fragment
            origins += fragment.indices
            at += 5 + length
        }
    }

    /// Where in the stream the name lies, if it lies there in one piece.
    var serverName: Range<Int>? {
        guard let body = field(at: 0, width: 3, type: 1), body.count <= ClientHello.maximumBytes else { return nil }
        // Version, random, then three vectors: session, cipher suites, compression methods.
        var at = body.lowerBound + 34
        for width in [1, 2, 1] {
            guard let end = vector(at: at, width: width, before: body.upperBound)?.upperBound else { return nil }
            at = end
        }
        guard let extensions = vector(at: at, width: 2, before: body.upperBound),
            extensions.upperBound == body.upperBound
        else { return nil }
        at = extensions.lowerBound
        while at < extensions.upperBound {
            guard let type = number(at: at, width: 2),
                let content = vector(at: at + 2, width: 2, before: extensions.upperBound)
            else { return nil }
            if type == 0 { return hostName(content) }
            at = content.upperBound
        }
        return nil
    }

    /// The content of a server_name extension: a list of one entry, of type 0.
    private func hostName(_ content: Range<Int>) -> Range<Int>? {
        guard let list = vector(at: content.lowerBound, width: 2, before: content.upperBound),
            list == content.dropFirst(2),
            list.count > 3, number(at: list.lowerBound, width: 1) == 0,
            let name = vector(at: list.lowerBound + 1, width: 2, before: list.upperBound), name == list.dropFirst(3),
            name.count <= 253, name.upperBound <= bytes.count,
            bytes[name].allSatisfy({ $0.isAlphabetic || (0x30...0x39).contains($0) || "-._".utf8.contains($0) })
        else { return nil }
        let start = origins[name.lowerBound]
        let end = origins[name.upperBound - 1] + 1
        return end - start == name.count ? start..<end : nil
    }

    private func field(at: Int, width: Int, type: Int) -> Range<Int>? {
        guard number(at: at, width: 1) == type, let length = number(at: at + 1, width: width) else { return nil }
        return (at + 1 + width)..<(at + 1 + width + length)
    }

    private func vector(at: Int, width: Int, before end: Int) -> Range<Int>? {
        guard at + width <= end, let length = number(at: at, width: width), at + width + length <= end else {
            return nil
        }
        return (at + width)..<(at + width + length)
    }

    private func number(at: Int, width: Int) -> Int? {
        guard at + width <= bytes.count else { return nil }
        return bytes[at..<(at + width)].reduce(0) { $0 << 8 | Int($1) }
    }
}
