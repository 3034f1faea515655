// SPDX-License-Identifier: Apache-2.0

import Foundation
import Telemetry

/// One event of a tap for programs: Linkerd's keys, one object to a line.
struct TapJSON: Encodable {
    private let source, destination: Peer
    private let proxyDirection, tls: String
    private var requestInitEvent: RequestInit?
    private var responseInitEvent: ResponseInit?
    private var responseEndEvent: ResponseEnd?
    private var connectionOpenEvent: ConnectionOpen?
    private var connectionCloseEvent: ConnectionClose?

    private struct Peer: Encodable {
        let ip: String
        let port: Int
        let metadata: [String: String]
    }
    private struct ID: Encodable {
        let base: UInt32
        let stream: UInt64
    }
    private struct Span: Encodable {
        let seconds: UInt64
        let nanos: UInt64

        init(_ microseconds: UInt64) {
            seconds = microseconds / 1_000_000
            nanos = microseconds % 1_000_000 * 1000
        }
    }
    private struct RequestInit: Encodable {
        let id: ID
        let method, scheme, authority, path: String
    }
    private struct ResponseInit: Encodable {
        let id: ID
        let sinceRequestInit: Span
        let httpStatus: UInt16
    }
    private struct ResponseEnd: Encodable {
        let id: ID
        let sinceResponseInit: Span
        let responseBytes: UInt64
        let resetError: String?
        let grpcStatusCode: UInt8?
        let resetErrorCode: UInt32?
    }
    private struct ConnectionOpen: Encodable {
        let id: ID
    }
    private struct ConnectionClose: Encodable {
        let id: ID
        let sinceOpen: Span
        let readBytes, writeBytes: UInt64
        let error: String?
    }

    /// `nil` for what is not an event.
    init?(_ report: TapReport) {
        source = TapJSON.peer(report.source, report.sourcePod)
        destination = TapJSON.peer(report.destination, report.destinationPod)
        proxyDirection = report.direction.uppercased()
        tls = report.tls
        let id = ID(base: report.base, stream: report.stream)
        switch report.kind {
        case .request:
            requestInitEvent = RequestInit(
                id: id, method: report.method ?? "", scheme: "http", authority: report.authority ?? "",
                path: report.path ?? "")
        case .response:
            responseInitEvent = ResponseInit(
                id: id, sinceRequestInit: Span(report.latencyMicroseconds ?? 0), httpStatus: report.status ?? 0)
        case .end:
            responseEndEvent = ResponseEnd(
                id: id, sinceResponseInit: Span(report.durationMicroseconds ?? 0),
                responseBytes: report.responseBytes ?? 0, resetError: report.error, grpcStatusCode: report.grpcStatus,
                resetErrorCode: report.resetCode)
        case .open: connectionOpenEvent = ConnectionOpen(id: id)
        case .close:
            connectionCloseEvent = ConnectionClose(
                id: id, sinceOpen: Span(report.durationMicroseconds ?? 0), readBytes: report.readBytes ?? 0,
                writeBytes: report.writeBytes ?? 0, error: report.error)
        case .dropped: return nil
        }
    }

    func text() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    private static func peer(_ address: String, _ pod: StatReport.Pod?) -> Peer {
        let colon = address.lastIndex(of: ":") ?? address.endIndex
        let host = address[..<colon].filter { $0 != "[" && $0 != "]" }
        var metadata: [String: String] = [:]
        if let pod {
            metadata = ["namespace": pod.namespace, "pod": pod.name, "node": pod.node]
            if !pod.ownerKind.isEmpty { metadata[pod.ownerKind.lowercased()] = pod.owner }
        }
        return Peer(ip: host, port: Int(address[colon...].dropFirst()) ?? 0, metadata: metadata)
    }
}
