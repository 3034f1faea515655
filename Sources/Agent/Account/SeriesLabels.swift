// SPDX-License-Identifier: Apache-2.0

import Model
import ProxyLink
import Telemetry

/// The labels that Linkerd gives a series, from the identities that the proxy gave.
extension Directory {
    /// `namespace`, `pod` and the owner.
    func labels(pod: Workload) -> LabelSet {
        var labels = LabelSet([("namespace", pod.namespace), ("pod", pod.name)])
        if let owner = pod.owner.kind.label { labels.append(owner, pod.owner.name) }
        return labels
    }

    /// `nil` if the pod is not one of this node's.
    func labels(_ key: HTTPSeriesKey) -> LabelSet? {
        guard isLocal(key.pod), let pod = workload(key.pod) else { return nil }
        var labels = LabelSet([("direction", key.direction.label)])
        append(&labels, pod)
        labels.append("authority", key.authority)
        if key.direction == .outbound { appendDestination(&labels, peer: key.peer, service: key.service) }
        labels.append("tls", key.security.label)
        return labels
    }

    /// `nil` if the pod is not one of this node's.
    func labels(_ key: TCPSeriesKey) -> LabelSet? {
        guard isLocal(key.pod), let pod = workload(key.pod) else { return nil }
        var labels = LabelSet([("direction", key.direction.label), ("peer", key.side.label)])
        append(&labels, pod)
        if key.direction == .outbound, key.side == .destination {
            appendDestination(&labels, peer: key.peer, service: key.service)
        }
        labels.append("tls", key.security.label)
        return labels
    }

    private func append(_ labels: inout LabelSet, _ pod: Workload) {
        labels.append("namespace", pod.namespace)
        labels.append("pod", pod.name)
        if let owner = pod.owner.kind.label { labels.append(owner, pod.owner.name) }
    }

    // Like Linkerd, a series says whom the pod called, never who called the pod: the caller's own series does.
    private func appendDestination(_ labels: inout LabelSet, peer: StableID, service: StableID) {
        let peer = workload(peer)
        let service = self.service(service)
        labels.append("dst_namespace", peer?.namespace ?? service?.namespace ?? "")
        if let peer {
            labels.append("dst_pod", peer.name)
            if let owner = peer.owner.kind.label { labels.append("dst_\(owner)", peer.owner.name) }
        }
        labels.append("dst_service", service?.name ?? "")
    }
}
