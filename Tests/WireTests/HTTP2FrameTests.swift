// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

/// Builds frames as RFC 9113 §4.1 writes them, without the code under test.
enum Frame {
    static func bytes(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16), UInt8(length >> 8 & 0xff), UInt8(length & 0xff), type, flags]
            + word(stream) + payload
    }
    static func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * UInt32($0)) & 0xff) } }
    static let settings = bytes(4)
}

/// What a reader said of some bytes, with DATA put together again.
struct ReadFrames: Equatable {
    var frames: [HTTP2.FrameHead] = []
    var payloads: [[UInt8]] = []
    var data: [UInt32: [UInt8]] = [:]
    var ended: Set<UInt32> = []
    var counted = 0
    var padding = 0
    var error: HTTP2.ErrorCode?

    /// Reads pieces as they arrive; a reader keeps what it could not use, as a connection does.
    init(_ pieces: [[UInt8]], role: HTTP2.Role = .server) {
        var reader = HTTP2.FrameReader(role)
        var held: [UInt8] = []
        for piece in pieces {
            held += piece
            var at = 0
            reading: while true {
                do {
                    switch try reader.next(held.span, at: &at) {
                    case .needMore: break reading
                    case .frame(let head, let payload):
                        frames.append(head)
                        payloads.append(Array(held[payload.indices]))
                    case .data(let piece):
                        data[piece.stream, default: []] += held[piece.content.indices]
                        counted += piece.frameLength ?? 0
                        padding += piece.padding
                        if piece.endsStream { ended.insert(piece.stream) }
                    }
                } catch {
                    self.error = error.code
                    return
                }
            }
            held.removeFirst(at)
        }
    }
}

@Suite("HTTP/2 frames")
struct HTTP2FrameTests {
    static let conversation: [UInt8] =
        Frame.bytes(4, Frame.word(0x0003_0000) + [0, 100]) + Frame.bytes(1, flags: 0x4, stream: 1, [0x82, 0x84])
        + Frame.bytes(0, flags: 0x8, stream: 1, [3] + Array("hello".utf8) + [0, 0, 0])
        + Frame.bytes(0, stream: 1) + Frame.bytes(0, flags: 0x1, stream: 1, Array("world".utf8))
        + Frame.bytes(1, flags: 0x28, stream: 3, [2] + Frame.word(1) + [16] + [0x82, 0x84] + [0, 0])
        + Frame.bytes(9, flags: 0x4, stream: 3, [0x86]) + Frame.bytes(6, Array("12345678".utf8))
        + Frame.bytes(8, stream: 1, Frame.word(10)) + Frame.bytes(0xfa, flags: 0xff, stream: 9, [1, 2, 3])

    @Test("split anywhere, the same frames are read")
    func splits() {
        let whole = ReadFrames([Self.conversation])
        #expect(whole.error == nil)
        #expect(whole.frames.map(\.type.rawValue) == [4, 1, 1, 9, 6, 8, 255])
        #expect(whole.payloads[2] == [0x82, 0x84])  // without padding and priority
        #expect(whole.data[1] == Array("helloworld".utf8))
        #expect(whole.ended == [1])
        #expect(whole.counted == 9 + 0 + 5)  // padding and its length count (RFC 9113 §6.1)
        #expect(whole.padding == 4)
        for first in 0...Self.conversation.count {
            let split = ReadFrames([Array(Self.conversation[..<first]), Array(Self.conversation[first...])])
            guard split == whole else {
                Issue.record("differs when split at \(first)")
                return
            }
        }
        #expect(ReadFrames(Self.conversation.map { [$0] }) == whole)
    }

    static let refused: [(String, [UInt8], HTTP2.ErrorCode)] = [
        ("the first frame is not SETTINGS", Frame.bytes(6, [UInt8](repeating: 0, count: 8)), .protocolError),
        ("the first SETTINGS is an ACK", Frame.bytes(4, flags: 1), .protocolError),
        ("over the frame size", Frame.settings + [0, 0x40, 1, 0, 0, 0, 0, 0, 1], .frameSizeError),
        ("DATA on stream 0", Frame.settings + Frame.bytes(0, [1]), .protocolError),
        ("all padding and more", Frame.settings + Frame.bytes(0, flags: 8, stream: 1, [5, 1]), .protocolError),
        ("PADDED without a length", Frame.settings + Frame.bytes(0, flags: 8, stream: 1), .frameSizeError),
        ("HEADERS on stream 0", Frame.settings + Frame.bytes(1, flags: 4, [0x82]), .protocolError),
        (
            "HEADERS too short for priority", Frame.settings + Frame.bytes(1, flags: 0x24, stream: 1, [1]),
            .frameSizeError
        ),
        (
            "another frame in a header block", Frame.settings + Frame.bytes(1, stream: 1) + Frame.settings,
            .protocolError
        ),
        (
            "CONTINUATION of another stream", Frame.settings + Frame.bytes(1, stream: 1) + Frame.bytes(9, stream: 3),
            .protocolError
        ),
        ("CONTINUATION of nothing", Frame.settings + Frame.bytes(9, flags: 4, stream: 1), .protocolError),
        ("RST_STREAM of five bytes", Frame.settings + Frame.bytes(3, stream: 1, [0, 0, 0, 0, 0]), .frameSizeError),
        ("SETTINGS on a stream", Frame.settings + Frame.bytes(4, stream: 1), .protocolError),
        ("SETTINGS of five bytes", Frame.settings + Frame.bytes(4, [0, 0, 0, 0, 0]), .frameSizeError),
        (
            "SETTINGS ACK with a payload", Frame.settings + Frame.bytes(4, flags: 1, [0, 0, 0, 0, 0, 0]),
            .frameSizeError
        ),
        ("PUSH_PROMISE", Frame.settings + Frame.bytes(5, stream: 1, [0, 0, 0, 2]), .protocolError),
        ("PING of seven bytes", Frame.settings + Frame.bytes(6, [UInt8](repeating: 0, count: 7)), .frameSizeError),
        ("GOAWAY of seven bytes", Frame.settings + Frame.bytes(7, [UInt8](repeating: 0, count: 7)), .frameSizeError),
        ("WINDOW_UPDATE of three bytes", Frame.settings + Frame.bytes(8, stream: 1, [0, 0, 1]), .frameSizeError),
        (
            "CONTINUATION without end",
            Frame.settings + Frame.bytes(1, stream: 1)
                + (0...HTTP2.maximumContinuations).flatMap { _ in Frame.bytes(9, stream: 1) }, .enhanceYourCalm
        ),
    ]

    @Test("what may not come is refused with the code of its section", arguments: refused)
    func refuses(name: String, bytes: [UInt8], code: HTTP2.ErrorCode) {
        #expect(ReadFrames([bytes]).error == code, "\(name)")
        #expect(ReadFrames(bytes.map { [$0] }).error == code, "\(name), byte by byte")
    }

    @Test("mutated conversations never trap, and never hand out bytes that are not there")
    func mutations() {
        var mutator = Mutator(seed: 9113)
        for _ in 0..<5_000 {
            let bytes = mutator.mutate(Self.conversation)
            let read = ReadFrames([bytes], role: .client)
            #expect(read.data.values.reduce(0) { $0 + $1.count } <= bytes.count)
        }
    }

    @Test("what is written is read again")
    func writes() {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 8)
        defer { memory.deallocate() }
        func bytes(_ write: (UnsafeMutableRawPointer) -> Int) -> [UInt8] {
            let count = write(memory)
            return Array(UnsafeRawBufferPointer(start: memory, count: count))
        }
        let list: InlineArray<2, HTTP2.Setting> = [HTTP2.Setting(3, 256), HTTP2.Setting(8, 1)]
        #expect(
            bytes { HTTP2.FrameWriter.settings($0, list.span) }
                == Frame.bytes(4, [0, 3, 0, 0, 1, 0, 0, 8, 0, 0, 0, 1]))
        #expect(bytes { HTTP2.FrameWriter.settingsAck($0) } == Frame.bytes(4, flags: 1))
        #expect(
            bytes { HTTP2.FrameWriter.windowUpdate($0, stream: 5, 70_000) }
                == Frame.bytes(8, stream: 5, Frame.word(70_000)))
        #expect(
            bytes { HTTP2.FrameWriter.resetStream($0, stream: 7, .cancel) } == Frame.bytes(3, stream: 7, Frame.word(8)))
        #expect(
            bytes { HTTP2.FrameWriter.goAway($0, last: 9, .enhanceYourCalm) }
                == Frame.bytes(7, Frame.word(9) + Frame.word(11)))
        #expect(
            bytes { HTTP2.FrameWriter.ping($0, opaque: 0x0807_0605_0403_0201, isAck: true) }
                == Frame.bytes(6, flags: 1, [1, 2, 3, 4, 5, 6, 7, 8]))
        #expect(
            bytes { HTTP2.FrameWriter.head($0, length: 0x12345, .data, flags: 1, stream: 0x7fff_fffe) }
                == [0x01, 0x23, 0x45, 0, 1, 0x7f, 0xff, 0xff, 0xfe])
    }
}
