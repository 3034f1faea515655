// SPDX-License-Identifier: Apache-2.0

package import Addresses
package import Model
package import Telemetry

/// One thing that a tapped pod did, as the proxy saw it.
package struct TapEvent: Equatable, Sendable {
    /// The tap that asked.
    package var tap: UInt32
    package var base: UInt32
    package var stream: UInt64
    package var pod: StableID
    package var peer: StableID
    package var direction: Direction
    package var security: TransportSecurity
    package var source: SocketAddress
    package var destination: SocketAddress
    package var kind: Kind

    package init(
        tap: UInt32, base: UInt32, stream: UInt64, pod: StableID, peer: StableID, direction: Direction,
        security: TransportSecurity, source: SocketAddress, destination: SocketAddress, kind: Kind
    ) {
        self.tap = tap
        self.base = base
        self.stream = stream
        self.pod = pod
        self.peer = peer
        self.direction = direction
        self.security = security
        self.source = source
        self.destination = destination
        self.kind = kind
    }

    package enum Kind: Equatable, Sendable {
        /// Texts are cut at 2,048 bytes each.
        case request(method: String, authority: String, path: String)
        case response(status: UInt16, latencyMicroseconds: UInt64)
        /// `grpcStatus` is as in ``HTTPSeriesDelta/Responses``; `resetCode` is the HTTP/2 error code (RFC 9113 §7) of a
        /// stream that was reset, by whichever side.
        case end(
            durationMicroseconds: UInt64, responseBytes: UInt64, failure: Failure.Reason?,
            grpcStatus: UInt8 = HTTPSeriesDelta.Responses.noGRPCStatus, resetCode: UInt32? = nil)
        case open
        case close(durationMicroseconds: UInt64, readBytes: UInt64, writtenBytes: UInt64, failure: Failure.Reason?)
        /// So many events of this tap were left out.
        case dropped(UInt64)
    }

    /// Longest method, authority or path in an event, in bytes: an event stays small enough that 64 KiB hold a batch.
    package static let maximumTextBytes = 2048
}

extension TapEvent {
    private enum Tag: UInt8 {
        case request = 1
        case response, end, open, close, dropped
    }

    package func encode(into writer: inout MessageWriter) {
        writer.write(tap)
        writer.write(base)
        writer.write(stream)
        writer.write(pod)
        writer.write(peer)
        writer.write(direction.rawValue)
        writer.write(security.rawValue)
        writer.write(source)
        writer.write(destination)
        switch kind {
        case .request(let method, let authority, let path):
            writer.write(Tag.request.rawValue)
            for text in [method, authority, path] { writer.write(text) }
        case .response(let status, let latency):
            writer.write(Tag.response.rawValue)
            writer.write(status)
            writer.write(latency)
        case .end(let duration, let bytes, let failure, let grpcStatus, let resetCode):
            writer.write(Tag.end.rawValue)
            writer.write(duration)
            writer.write(bytes)
            writer.write(failure?.rawValue ?? "")
            writer.write(grpcStatus)
            writer.write(resetCode != nil)
            if let resetCode { writer.write(resetCode) }
        case .open:
            writer.write(Tag.open.rawValue)
        case .close(let duration, let read, let written, let failure):
            writer.write(Tag.close.rawValue)
            writer.write(duration)
            writer.write(read)
            writer.write(written)
            writer.write(failure?.rawValue ?? "")
        case .dropped(let count):
            writer.write(Tag.dropped.rawValue)
            writer.write(count)
        }
    }

    init(decoding reader: inout MessageReader) throws(MalformedMessage) {
        tap = try reader.read()
        base = try reader.read()
        stream = try reader.read()
        pod = try reader.readID()
        peer = try reader.readID()
        direction = try reader.readCase()
        security = try reader.readCase()
        source = try reader.readAddress()
        destination = try reader.readAddress()
        switch try reader.readCase(Tag.self) {
        case .request:
            let method = try reader.readText()
            let authority = try reader.readText()
            kind = .request(method: method, authority: authority, path: try reader.readText())
        case .response:
            let status: UInt16 = try reader.read()
            kind = .response(status: status, latencyMicroseconds: try reader.read())
        case .end:
            let duration: UInt64 = try reader.read()
            let bytes: UInt64 = try reader.read()
            let failure = try reader.readFailure()
            let grpcStatus = try reader.readGRPCStatus()
            kind = .end(
                durationMicroseconds: duration, responseBytes: bytes, failure: failure, grpcStatus: grpcStatus,
                resetCode: try reader.readBool() ? try reader.read() : nil)
        case .open: kind = .open
        case .close:
            let duration: UInt64 = try reader.read()
            let read: UInt64 = try reader.read()
            let written: UInt64 = try reader.read()
            kind = .close(
                durationMicroseconds: duration, readBytes: read, writtenBytes: written,
                failure: try reader.readFailure())
        case .dropped: kind = .dropped(try reader.read())
        }
    }
}

extension MessageReader {
    fileprivate mutating func readFailure() throws(MalformedMessage) -> Failure.Reason? {
        let text = try readText()
        if text.isEmpty { return nil }
        guard let reason = Failure.Reason(rawValue: text) else { throw malformed("reason") }
        return reason
    }
}
