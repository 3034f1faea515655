// SPDX-License-Identifier: Apache-2.0

import Telemetry

/// One event of a tap as a line, as Linkerd writes it; connections, which Linkerd does not tap, in the same manner.
struct TapLine {
    let report: TapReport
    /// Adds who the peers are.
    var isWide = false

    /// The line, without a newline. `nil` for what is not an event: ``dropped``.
    var text: String? {
        var fields = ["id=\(report.base):\(report.stream)", "proxy=\(side)", "src=\(report.source.visible)"]
        fields += ["dst=\(report.destination.visible)", "tls=\(report.tls.visible)"]
        switch report.kind {
        case .dropped: return nil
        case .request:
            fields.append(":method=\((report.method ?? "").visible)")
            fields.append(":authority=\((report.authority ?? "").visible)")
            fields.append(":path=\((report.path ?? "").visible)")
        case .response:
            fields.append(":status=\(report.status ?? 0)")
            fields.append("latency=\(report.latencyMicroseconds ?? 0)µs")
        case .end:
            if let status = report.grpcStatus { fields.append("grpc-status=\(GRPCStatus.name(of: status))") }
            // Linkerd's field says that the response was cut off; who knows more than that one did says it in `error`.
            if let code = report.resetCode { fields.append("reset-error=\(HTTP2Code.name(of: code))") }
            if let error = report.error {
                fields.append("\(report.resetCode == nil ? "reset-error" : "error")=\(error.visible)")
            }
            fields.append("duration=\(report.durationMicroseconds ?? 0)µs")
            fields.append("response-length=\(report.responseBytes ?? 0)B")
        case .open: break
        case .close:
            if let error = report.error { fields.append("error=\(error.visible)") }
            fields.append("duration=\(report.durationMicroseconds ?? 0)µs")
            fields.append("read=\(report.readBytes ?? 0)B")
            fields.append("write=\(report.writeBytes ?? 0)B")
        }
        if isWide { fields += labels("src", report.sourcePod) + labels("dst", report.destinationPod) }
        return "\(report.kind.rawValue) \(fields.joined(separator: " "))"
    }

    /// How many events were left out, as a sentence; `nil` if that is not what the report says.
    var dropped: String? {
        guard report.kind == .dropped, let count = report.dropped else { return nil }
        return "\(count) events left out: more than --max-rps allows, or faster than they could be sent"
    }

    /// `in ` is padded so that what follows lines up.
    private var side: String {
        switch report.direction {
        case Direction.inbound.label: "in "
        case Direction.outbound.label: "out"
        default: "???"
        }
    }

    private func labels(_ prefix: String, _ pod: StatReport.Pod?) -> [String] {
        guard let pod else { return [] }
        var labels = ["namespace": pod.namespace, "pod": pod.name, "node": pod.node]
        if !pod.ownerKind.isEmpty { labels[pod.ownerKind.lowercased()] = pod.owner }
        return labels.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }
            .map { "\(prefix)_\($0.key.visible)=\($0.value.visible)" }
    }
}
