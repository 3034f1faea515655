// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// Cuts the bytes of one direction into frames, and refuses those that may not come at all or not now.
    ///
    /// DATA is handed out as it arrives; every other frame is handed out whole, so a reader needs to hold at most
    /// ``HTTP2/maximumFrameBytes`` and a head. Rules that need to know a stream are not checked here.
    package struct FrameReader: Hashable, Sendable, BitwiseCopyable {
        /// What came next.
        package enum Piece: Hashable, Sendable, BitwiseCopyable {
            /// The bytes do not hold a whole piece yet.
            case needMore
            /// A frame other than DATA. `payload` is without padding and without priority.
            case frame(FrameHead, payload: ByteRange)
            /// Some of a DATA frame.
            case data(DataPiece)
        }

        /// Bytes of a DATA frame, possibly not all of it.
        package struct DataPiece: Hashable, Sendable, BitwiseCopyable {
            package let stream: UInt32
            /// What belongs to the message; may be empty.
            package let content: ByteRange
            /// Bytes of padding in this piece, the padding's length included: they count for flow control only (§6.1).
            package let padding: Int
            /// The frame's whole length if this is its first piece, else `nil`: what flow control counts.
            package let frameLength: Int?
            /// The frame ends here, and with it the stream.
            package let endsStream: Bool
        }

        private let role: Role
        private var hasSettings = false
        private var continued: UInt32 = 0
        private var continuations = 0
        // Of the DATA frame under way:
        private var isInData = false
        private var stream: UInt32 = 0
        private var endsStream = false
        private var contentLeft = 0
        private var paddingLeft = 0

        /// Reads what comes after the preface. `role` is ours.
        package init(_ role: Role) { self.role = role }

        /// A header block has begun and not ended.
        package var isInHeaderBlock: Bool { continued != 0 }

        /// The next piece at `at`, which moves behind it. Call until ``Piece/needMore``.
        package mutating func next(_ bytes: Span<UInt8>, at: inout Int) throws(HTTP2Error) -> Piece {
            if isInData { return moreData(bytes, &at, frameLength: nil, padding: 0) }
            guard bytes.count &- at >= HTTP2.frameHeadBytes else { return .needMore }
            let head = FrameHead(bytes, at: at)
            try check(head)
            let payload = at &+ HTTP2.frameHeadBytes
            if head.type == .data { return try beginData(head, bytes, &at, payload) }
            guard bytes.count &- payload >= head.length else { return .needMore }
            var range = ByteRange(payload, payload &+ head.length)
            switch head.type {
            case .headers:
                range = try unwrap(head, bytes, range)
                continued = head.endsHeaders ? 0 : head.stream
                continuations = 0
            case .continuation:
                continuations &+= 1
                guard continuations <= HTTP2.maximumContinuations else { throw HTTP2Error(.enhanceYourCalm) }
                if head.endsHeaders { continued = 0 }
            default: break
            }
            at = payload &+ head.length
            return .frame(head, payload: range)
        }

        // MARK: Rules that need no stream

        private mutating func check(_ head: FrameHead) throws(HTTP2Error) {
            guard head.length <= HTTP2.maximumFrameBytes else { throw HTTP2Error(.frameSizeError) }
            if continued != 0 {
                guard head.type == .continuation, head.stream == continued else { throw HTTP2Error(.protocolError) }
            }
            if !hasSettings {
                guard head.type == .settings, !head.isAck else { throw HTTP2Error(.protocolError) }
                hasSettings = true
            }
            switch head.type {
            case .data, .headers: try require(head.stream != 0, .protocolError)
            case .priority: try require(head.stream != 0, .protocolError)
            case .resetStream:
                try require(head.stream != 0, .protocolError)
                try require(head.length == 4, .frameSizeError)
            case .settings:
                try require(head.stream == 0, .protocolError)
                try require(head.isAck ? head.length == 0 : head.length % 6 == 0, .frameSizeError)
            case .pushPromise: throw HTTP2Error(.protocolError)  // we never allow it (§8.4)
            case .ping:
                try require(head.stream == 0, .protocolError)
                try require(head.length == 8, .frameSizeError)
            case .goAway:
                try require(head.stream == 0, .protocolError)
                try require(head.length >= 8, .frameSizeError)
            case .windowUpdate: try require(head.length == 4, .frameSizeError)
            case .continuation: try require(continued != 0, .protocolError)
            case .unknown: break
            }
        }

        private func require(_ holds: Bool, _ code: ErrorCode) throws(HTTP2Error) {
            guard holds else { throw HTTP2Error(code) }
        }

        /// A HEADERS payload without padding and priority (§6.2).
        private func unwrap(
            _ head: FrameHead, _ bytes: Span<UInt8>, _ range: ByteRange
        ) throws(HTTP2Error) -> ByteRange {
            var (start, end) = (range.lower, range.upper)
            if head.isPadded {
                guard start < end else { throw HTTP2Error(.frameSizeError) }
                let padding = Int(bytes[start])
                start &+= 1
                guard padding <= end &- start else { throw HTTP2Error(.protocolError) }
                end &-= padding
            }
            if head.hasPriority {
                guard end &- start >= 5 else {
                    throw HTTP2Error(head.isPadded ? .protocolError : .frameSizeError)
                }
                start &+= 5  // deprecated, and ignored (§5.3.2)
            }
            return ByteRange(start, end)
        }

        // MARK: DATA

        private mutating func beginData(
            _ head: FrameHead, _ bytes: Span<UInt8>, _ at: inout Int, _ payload: Int
        ) throws(HTTP2Error) -> Piece {
            var overhead = 0
            paddingLeft = 0
            if head.isPadded {
                guard head.length >= 1 else { throw HTTP2Error(.frameSizeError) }
                guard payload < bytes.count else { return .needMore }
                overhead = 1
                paddingLeft = Int(bytes[payload])
                guard paddingLeft < head.length else { throw HTTP2Error(.protocolError) }
            }
            contentLeft = head.length &- overhead &- paddingLeft
            stream = head.stream
            endsStream = head.endsStream
            isInData = true
            at = payload &+ overhead
            return moreData(bytes, &at, frameLength: head.length, padding: overhead)
        }

        /// What is there of the DATA frame under way.
        private mutating func moreData(
            _ bytes: Span<UInt8>, _ at: inout Int, frameLength: Int?, padding: Int
        ) -> Piece {
            let start = at
            let content = Swift.min(contentLeft, bytes.count &- start)
            let skipped = Swift.min(paddingLeft, bytes.count &- start &- content)
            contentLeft &-= content
            paddingLeft &-= skipped
            at = start &+ content &+ skipped
            isInData = contentLeft &+ paddingLeft > 0
            if content &+ skipped == 0 && frameLength == nil { return .needMore }
            return .data(
                DataPiece(
                    stream: stream, content: ByteRange(start, start &+ content), padding: padding &+ skipped,
                    frameLength: frameLength, endsStream: endsStream && !isInData))
        }
    }
}
