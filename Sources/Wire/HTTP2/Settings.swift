// SPDX-License-Identifier: Apache-2.0

extension HTTP2 {
    /// One setting as it stands in a frame (RFC 9113 §6.5.1).
    package struct Setting: Hashable, Sendable, BitwiseCopyable {
        package let id: UInt16
        package let value: UInt32

        package init(_ id: UInt16, _ value: UInt32) {
            self.id = id
            self.value = value
        }

        package static var headerTableSize: UInt16 { 1 }
        package static var enablePush: UInt16 { 2 }
        package static var maximumConcurrentStreams: UInt16 { 3 }
        package static var initialWindowSize: UInt16 { 4 }
        package static var maximumFrameSize: UInt16 { 5 }
        package static var maximumHeaderListSize: UInt16 { 6 }
        /// RFC 8441 §3.
        package static var enableConnectProtocol: UInt16 { 8 }
    }

    /// What the peer has told about itself; until it has, the defaults of RFC 9113 §6.5.2.
    package struct PeerSettings: Hashable, Sendable, BitwiseCopyable {
        /// Bytes that its decoder keeps.
        package private(set) var headerTableBytes: UInt32 = 4096
        package private(set) var concurrentStreams: UInt32 = HTTP2.presumedStreams
        package private(set) var initialWindow: Int32 = 65_535
        package private(set) var frameBytes = 16_384
        package private(set) var enablesConnectProtocol = false
        /// Its first SETTINGS have come.
        package private(set) var isKnown = false

        package init() {}

        /// Takes the settings of one frame over, in order. `role` is ours.
        /// - Returns: by how much windows of all streams change (§6.9.2).
        package mutating func apply(
            _ bytes: Span<UInt8>, _ payload: ByteRange, role: Role
        ) throws(HTTP2Error) -> Int32 {
            let before = initialWindow
            // A peer that does not limit the number takes any.
            if !isKnown { concurrentStreams = .max }
            isKnown = true
            var at = payload.lower
            while at &+ 6 <= payload.upper {
                let id = UInt16(bytes[at]) &<< 8 | UInt16(bytes[at &+ 1])
                try apply(Setting(id, bytes.word(at: at &+ 2)), role)
                at &+= 6
            }
            return initialWindow &- before
        }

        private mutating func apply(_ setting: Setting, _ role: Role) throws(HTTP2Error) {
            let value = setting.value
            switch setting.id {
            case Setting.headerTableSize: headerTableBytes = value
            case Setting.enablePush:
                // Only a client may ask for pushes (§6.5.2).
                guard value == 0 || (value == 1 && role == .server) else { throw HTTP2Error(.protocolError) }
            case Setting.maximumConcurrentStreams: concurrentStreams = value
            case Setting.initialWindowSize:
                guard value <= 0x7fff_ffff else { throw HTTP2Error(.flowControlError) }
                initialWindow = Int32(value)
            case Setting.maximumFrameSize:
                guard 16_384...16_777_215 ~= value else { throw HTTP2Error(.protocolError) }
                frameBytes = Int(value)
            case Setting.enableConnectProtocol:
                // It may not be taken back (RFC 8441 §3).
                guard value <= 1, value == 1 || !enablesConnectProtocol else { throw HTTP2Error(.protocolError) }
                enablesConnectProtocol = value == 1
            default: break  // unknown ones are ignored; a header list limit is advice (§6.5.2)
            }
        }
    }
}
