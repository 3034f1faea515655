// SPDX-License-Identifier: Apache-2.0

import Telemetry

/// Two agents' reports of a small application.
enum Samples {
    static let bot = pod("vote-bot-1", "vote-bot", "node-2")
    static let web = pod("web-1", "web", "node-1")
    static let voting1 = pod("voting-1", "voting", "node-1")
    static let voting2 = pod("voting-2", "voting", "node-2", meshed: false)
    static let idle = StatReport.Pod(
        namespace: "shop", name: "db-0", ownerKind: "StatefulSet", owner: "db", node: "node-2", meshed: true)

    static func pod(_ name: String, _ owner: String, _ node: String, meshed: Bool = true) -> StatReport.Pod {
        .init(namespace: "emojivoto", name: name, ownerKind: "Deployment", owner: owner, node: node, meshed: meshed)
    }

    static func series(
        _ direction: Direction, _ pod: StatReport.Pod, _ peer: StatReport.Pod?, service: String?,
        tls: TransportSecurity,
        _ success: UInt64, _ failure: UInt64, live: UInt64 = 0, microseconds: [UInt64]
    ) -> StatReport.Series {
        var bins: [Int: UInt64] = [:]
        for value in microseconds {
            bins[LatencyBins.index(value), default: 0] += (success + failure) / UInt64(microseconds.count)
        }
        return .init(
            direction: direction.label, pod: pod, peer: peer, service: service,
            authority: service.map { "\($0.split(separator: "/")[1]).emojivoto:80" } ?? "", tls: tls.label,
            success: success, failure: failure,
            latencyBins: bins.sorted { $0.key < $1.key }.flatMap { [UInt64($0.key), $0.value] }, live: live,
            tcpOpenConnections: 2, tcpReadBytes: 6000, tcpWriteBytes: 60_000)
    }

    static let reports = [
        StatReport(
            node: "node-1", windowSeconds: 60, pods: [web, voting1],
            series: [
                series(
                    .inbound, web, bot, service: "emojivoto/web-svc", tls: .none, 2764, 236,
                    microseconds: [900, 1500, 30_000]),
                series(
                    .outbound, web, voting1, service: "emojivoto/voting-svc", tls: .local, 631, 119,
                    live: 4, microseconds: [400, 480]),
                series(
                    .inbound, voting1, web, service: "emojivoto/voting-svc", tls: .local, 631, 119,
                    live: 3, microseconds: [400, 480]),
                series(
                    .outbound, web, voting2, service: "emojivoto/voting-svc", tls: .none, 640, 110, microseconds: [700]),
            ]),
        StatReport(
            node: "node-2", windowSeconds: 30, pods: [bot, voting2, idle],
            series: [
                series(
                    .outbound, bot, web, service: "emojivoto/web-svc", tls: .none, 1382, 118,
                    microseconds: [1000, 12_000])
            ]),
    ]
}
