// SPDX-License-Identifier: Apache-2.0

import Wire

extension Oracle {
    /// HTTP/2 frames, and what the header blocks in them say.
    ///
    /// The input is a byte whose lowest bit makes us the server, and what a peer sends after the preface.
    package static let http2 = Oracle("http2") { bytes throws(Violation) in
        guard bytes.count > 0 else { return }
        let role: HTTP2.Role = bytes[0] & 1 != 0 ? .server : .client
        let stream = bytes.extracting(droppingFirst: 1)
        let whole = try FrameLog(stream, role, cutAt: EmptyCollection())
        try expectSame(FrameLog(stream, role, cutAt: 0..<stream.count), whole, "byte by byte")
        for cut in fewCuts(stream.count) {
            try expectSame(FrameLog(stream, role, cutAt: CollectionOfOne(cut)), whole, "cut at \(cut)")
        }
        try expectOrder(whole, stream)
        let again = whole.rewritten
        let copy = try FrameLog(again.span, role, cutAt: EmptyCollection())
        try require(copy.error == nil && copy.frames == whole.frames.map(\.bare), "what was read can be written")
        try expectWindows(whole, role)
        try expectMessages(whole, role)
    }
}

private func expectSame(_ log: FrameLog, _ whole: FrameLog, _ how: String) throws(Violation) {
    // The frames before a mistake are seen in any pieces, and the mistake is the same.
    try require(log.frames == whole.frames && log.error == whole.error, "frames are the same \(how)")
}

/// The rules of RFC 9113 §4, §6.2 and §6.10 that need no stream.
private func expectOrder(_ log: FrameLog, _ stream: Span<UInt8>) throws(Violation) {
    var continued: UInt32?
    var continuations = 0
    var at = 0
    for (index, frame) in log.frames.enumerated() {
        // A second reading of the head, where the frames before end.
        let length = Int(stream[at]) << 16 | Int(stream[at + 1]) << 8 | Int(stream[at + 2])
        let id = stream.array((at + 5)..<(at + 9)).reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
        try require(
            frame.head.length == length && frame.head.type == HTTP2.FrameType(rawValue: stream[at + 3]) ?? .unknown
                && frame.head.flags == stream[at + 4] && frame.head.stream == id, "a head is read where it is")
        try require(length <= HTTP2.maximumFrameBytes, "a frame is not longer than its limit")
        at += 9 + length
        try require(index > 0 || frame.head.type == .settings && !frame.head.isAck, "SETTINGS come first")
        try require(frame.head.type != .pushPromise, "nothing is pushed")
        if let stream = continued {
            try require(frame.head.type == .continuation && frame.head.stream == stream, "nothing parts a block")
        } else {
            try require(frame.head.type != .continuation, "a continuation continues a block")
        }
        switch frame.head.type {
        case .data, .headers, .priority, .resetStream, .continuation:
            try require(id != 0, "\(frame.head.type) is of a stream")
        case .settings, .ping, .goAway: try require(id == 0, "\(frame.head.type) is of the connection")
        default: break
        }
        if frame.head.type == .headers { (continued, continuations) = (id, 0) }
        if frame.head.type == .continuation { continuations += 1 }
        if frame.head.type == .headers || frame.head.type == .continuation, frame.head.endsHeaders { continued = nil }
        try require(continuations <= HTTP2.maximumContinuations, "a block has an end")
        let isWhole = index < log.frames.count - 1 || frame.isWhole
        let bytes = frame.payload.count + frame.padding
        try require(isWhole ? bytes == length : bytes <= length, "a frame is content and padding")
    }
}

/// Flow control as RFC 9113 §6.9 has it, in numbers that cannot overflow.
private func expectWindows(_ log: FrameLog, _ role: HTTP2.Role) throws(Violation) {
    var settings = HTTP2.PeerSettings()
    var send = HTTP2.SendWindow(settings.initialWindow)
    var receive = HTTP2.ReceiveWindow(HTTP2.streamWindow)
    var sendable = 65_535
    var (received, credited) = (0, 0)
    for frame in log.frames {
        switch frame.head.type {
        case .settings where !frame.head.isAck:
            let before = Int(settings.initialWindow)
            let payload = ByteRange(start: 0, end: UInt32(frame.payload.count))
            let change: Int32
            do throws(HTTP2Error) {
                change = try settings.apply(frame.payload.span, payload, role: role)
            } catch {
                return
            }
            try require(Int(settings.initialWindow) - before == Int(change), "a change is the difference")
            try require(settings.initialWindow >= 0, "a window begins with something")
            try require(16_384...16_777_215 ~= settings.frameBytes, "a frame size is one")
            let fits = send.shift(by: change)
            // Below -2^31 is no window that a peer can make by the rules.
            try require(fits == (Int(Int32.min)...Int(Int32.max) ~= sendable + Int(change)), "a window has a limit")
            guard fits else { return }
            sendable += Int(change)
        case .windowUpdate:
            let increment = frame.payload.span.word(at: 0) & 0x7fff_ffff
            let fits = send.expand(by: increment)
            try require(fits == (sendable + Int(increment) <= Int(Int32.max)), "a window has a limit")
            guard fits else { return }
            sendable += Int(increment)
        case .data:
            let fits = receive.receive(frame.head.length)
            try require(fits == (received - credited + frame.head.length <= Int(HTTP2.streamWindow)), "credit counts")
            guard fits else { return }
            received += frame.head.length
            credited += Int(receive.forward(frame.head.length))
            try require(Int(receive.available) == Int(HTTP2.streamWindow) - received + credited, "credit counts")
            try require(credited <= received, "credit is given for what has gone on")
        default: break
        }
        try require(Int(send.available) == sendable, "a window is the sum of its changes")
    }
}

/// Decodes the header blocks and asks of every message that is accepted what RFC 9113 §8 has recipients refuse.
private func expectMessages(_ log: FrameLog, _ role: HTTP2.Role) throws(Violation) {
    var decoder = HPACKDecoder()
    var block: [UInt8] = []
    var fields = FieldBlock(maximumListBytes: HTTP2.maximumHeaderListBytes)
    for frame in log.frames where frame.head.type == .headers || frame.head.type == .continuation {
        block = (frame.head.type == .headers ? [] : block) + frame.payload
        guard frame.head.endsHeaders else { continue }
        fields.removeAll()
        do throws(HPACKError) {
            try decoder.decode(block.span, into: &fields)
        } catch {
            return
        }
        let message = Message(fields.all)
        if let request = accepted({ () throws(HTTP2StreamError) in try HTTP2.RequestFields.read(fields) }) {
            try message.expectRequest(request, fields)
        }
        if let response = accepted({ () throws(HTTP2StreamError) in try HTTP2.ResponseFields.read(fields) }) {
            try message.expectRegular()
            try require(Array(message.pseudo.keys) == [":status"], "a response has a status and no more")
            try require(message.pseudo[":status"] == Array("\(response.status)".utf8), "the status is what it is")
            try require(100...999 ~= response.status && response.status != 101, "a status is one")
            try message.expectLength(response.contentLength)
        }
        if accepted({ () throws(HTTP2StreamError) in try HTTP2.TrailerFields.read(fields) }) != nil {
            try message.expectRegular()
            try require(message.pseudo.isEmpty, "trailers have no pseudo-fields")
        }
    }
}

private func accepted<Fields>(_ read: () throws(HTTP2StreamError) -> Fields) -> Fields? {
    do throws(HTTP2StreamError) {
        return try read()
    } catch {
        return nil
    }
}
