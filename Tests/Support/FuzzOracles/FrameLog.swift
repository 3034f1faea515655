// SPDX-License-Identifier: Apache-2.0

import Wire

/// The frames of a connection with their bytes, as a reader finds them that gets the stream in pieces.
struct FrameLog {
    struct Frame: Hashable {
        var head: HTTP2.FrameHead
        /// Without padding and priority.
        var payload: [UInt8]
        /// What else the frame has.
        var padding: Int
        var isWhole: Bool

        /// The same without padding and priority.
        var bare: Frame {
            let isUnwrapped = head.type == .data || head.type == .headers
            let flags = isUnwrapped ? head.flags & ~0x28 : head.flags
            return Frame(
                head: HTTP2.FrameHead(length: payload.count, type: head.type, flags: flags, stream: head.stream),
                payload: payload, padding: 0, isWhole: true)
        }
    }

    private(set) var frames: [Frame] = []
    private(set) var error: HTTP2Error?

    init(_ stream: Span<UInt8>, _ role: HTTP2.Role, cutAt cuts: some Sequence<Int>) throws(Violation) {
        var reader = HTTP2.FrameReader(role)
        var at = 0
        for cut in cuts where error == nil { try read(stream.extracting(first: cut), &reader, &at) }
        if error == nil { try read(stream, &reader, &at) }
        if error == nil {
            try require(stream.count - at < 9 + HTTP2.maximumFrameBytes, "no more waits than a frame")
            let block = frames.last { $0.head.type == .headers || $0.head.type == .continuation }
            try require(reader.isInHeaderBlock == (block?.head.endsHeaders == false), "a block under way is told")
        }
    }

    /// Takes what there is, from where the last call stopped.
    private mutating func read(
        _ bytes: Span<UInt8>, _ reader: inout HTTP2.FrameReader, _ at: inout Int
    ) throws(Violation) {
        while true {
            let start = at
            let piece: HTTP2.FrameReader.Piece
            do throws(HTTP2Error) {
                piece = try reader.next(bytes, at: &at)
            } catch {
                try require(at == start, "a frame that is refused is not consumed")
                return self.error = error
            }
            try require(start <= at && at <= bytes.count, "no more is consumed than there is")
            switch piece {
            case .needMore: return try require(at == start, "what is not there is not consumed")
            case .frame(let head, let payload):
                try require(at == start + 9 + head.length, "a frame is consumed whole")
                try require(Int(payload.start) >= start + 9 && Int(payload.end) <= at, "a payload is in its frame")
                frames.append(
                    Frame(
                        head: head, payload: bytes.array(payload), padding: head.length - payload.count, isWhole: true))
            case .data(let data):
                try require(Int(data.content.start) >= start && Int(data.content.end) <= at, "data is where it is")
                if let length = data.frameLength {
                    let flags = bytes[start + 4]
                    frames.append(
                        Frame(
                            head: HTTP2.FrameHead(length: length, type: .data, flags: flags, stream: data.stream),
                            payload: [], padding: 0, isWhole: false))
                }
                try extend(data, bytes)
            }
        }
    }

    private mutating func extend(_ data: HTTP2.FrameReader.DataPiece, _ bytes: Span<UInt8>) throws(Violation) {
        guard var frame = frames.popLast(), frame.head.type == .data, frame.head.stream == data.stream, !frame.isWhole
        else { throw Violation("data goes on where it has begun") }
        frame.payload += bytes.array(data.content)
        frame.padding += data.padding
        frame.isWhole = frame.payload.count + frame.padding == frame.head.length
        try require(data.endsStream == (frame.isWhole && frame.head.endsStream), "a stream ends with its last frame")
        frames.append(frame)
    }

    /// The frames written anew, without padding and priority.
    var rewritten: [UInt8] {
        frames.map(\.bare).reduce(into: []) { stream, frame in
            stream += [UInt8](unsafeUninitializedCapacity: HTTP2.frameHeadBytes) { output, count in
                guard let start = output.baseAddress else { return }
                count = HTTP2.FrameWriter.head(
                    start, length: frame.payload.count, frame.head.type, flags: frame.head.flags,
                    stream: frame.head.stream)
            }
            stream += frame.payload
        }
    }
}
