// SPDX-License-Identifier: Apache-2.0

import Telemetry

/// The answer to a ``StatQuery``: the agents' reports, merged, a group of rows for each resource. Pure.
struct StatSummary: Sendable {
    /// The rows for one of the things that were asked for, by namespace and name.
    struct Group: Sendable {
        let kind: ResourceKind
        var rows: [StatRow]
    }

    let groups: [Group]

    init(_ reports: [StatReport], _ query: StatQuery) {
        groups = StatSummary.merge(query.resources).map { kind, names in
            Group(kind: kind, rows: StatSummary.rows(reports, query, kind, names))
        }
    }

    var isEmpty: Bool { groups.allSatisfy { $0.rows.isEmpty } }

    /// `deploy/web deploy/emoji` is one table; `nil` means all names.
    private static func merge(_ resources: [Resource]) -> [(ResourceKind, Set<String>?)] {
        var result: [(ResourceKind, Set<String>?)] = []
        for resource in resources {
            let names = resource.name.map { Set([$0]) }
            if let index = result.firstIndex(where: { $0.0 == resource.kind }) {
                if let known = result[index].1, let names {
                    result[index].1 = known.union(names)
                } else {
                    result[index].1 = nil
                }
            } else {
                result.append((resource.kind, names))
            }
        }
        return result
    }

    private struct Key: Hashable {
        let namespace: String
        let name: String
    }

    private static func rows(
        _ reports: [StatReport], _ query: StatQuery, _ kind: ResourceKind, _ names: Set<String>?
    ) -> [StatRow] {
        var rows: [Key: StatRow] = [:]
        func isWanted(_ key: Key) -> Bool {
            // A namespace is not in a namespace: -n does not narrow `stat ns`.
            (kind == .namespace || query.namespace == nil || query.namespace == key.namespace)
                && names?.contains(key.name) ?? true
        }
        for pod in reports.flatMap(\.pods) {
            guard let key = key(of: pod, kind), isWanted(key) else { continue }
            var row = rows[key] ?? StatRow(namespace: key.namespace, name: key.name)
            let known = row.meshed ?? (0, 0)
            row.meshed = (known.enrolled + (pod.meshed ? 1 : 0), known.all + 1)
            rows[key] = row
        }
        for report in reports {
            for series in report.series {
                guard let key = key(of: series, kind, query.relation), isWanted(key) else { continue }
                rows[key, default: StatRow(namespace: key.namespace, name: key.name)]
                    .add(series, over: report.windowSeconds)
            }
        }
        // Who is asked for by relation is there only if they had to do with each other.
        let all = query.relation.isNone ? Array(rows.values) : rows.values.filter(\.hasTraffic)
        return all.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
    }

    /// The row that a series counts for; `nil` if none.
    private static func key(
        of series: StatReport.Series, _ kind: ResourceKind, _ relation: StatQuery.Relation
    ) -> Key? {
        let outbound = series.direction == Direction.outbound.label
        // What was dialled is known where the dialling is seen: services are always measured at their callers.
        switch relation {
        case .none:
            guard outbound == (kind == .service) else { return nil }
        case .to(let resource, let namespace):
            let atPeer = series.peer.map { resource.matches($0, namespace) } ?? false
            let atService = resource.kind == .service && resource.matches(service: series.service, namespace)
            let atAuthority = resource.kind == .authority && resource.name.map { $0 == series.authority } ?? true
            guard outbound, atPeer || atService || atAuthority else { return nil }
        case .from(let resource, let namespace):
            guard outbound, resource.matches(series.pod, namespace) else { return nil }
        }
        switch kind {
        case .service:
            return series.service.flatMap(key(ofService:))
        case .authority:
            return series.authority.isEmpty ? nil : Key(namespace: series.pod.namespace, name: series.authority)
        default:
            if case .from = relation { return series.peer.flatMap { key(of: $0, kind) } }
            return key(of: series.pod, kind)
        }
    }

    private static func key(of pod: StatReport.Pod, _ kind: ResourceKind) -> Key? {
        switch kind {
        case .namespace: return Key(namespace: pod.namespace, name: pod.namespace)
        case .pod: return Key(namespace: pod.namespace, name: pod.name)
        case .service, .authority: return nil
        default:
            guard let owner = kind.ownerKind, pod.ownerKind == owner else { return nil }
            return Key(namespace: pod.namespace, name: pod.owner)
        }
    }

    private static func key(ofService name: String) -> Key? {
        guard let slash = name.firstIndex(of: "/") else { return nil }
        return Key(namespace: String(name[..<slash]), name: String(name[name.index(after: slash)...]))
    }
}

extension StatQuery.Relation {
    fileprivate var isNone: Bool {
        if case .none = self { return true }
        return false
    }
}

extension Resource {
    /// Whether a pod is this resource, or of it.
    fileprivate func matches(_ pod: StatReport.Pod, _ namespace: String?) -> Bool {
        if kind == .namespace { return name == nil || name == pod.namespace }
        if let namespace, namespace != pod.namespace { return false }
        if kind == .pod { return name == nil || name == pod.name }
        return kind.ownerKind == pod.ownerKind && (name == nil || name == pod.owner)
    }

    fileprivate func matches(service: String?, _ namespace: String?) -> Bool {
        guard let parts = service?.split(separator: "/", maxSplits: 1), parts.count == 2 else { return false }
        return namespace.map { $0 == parts[0] } ?? true && name.map { $0 == parts[1] } ?? true
    }
}
