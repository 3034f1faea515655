// SPDX-License-Identifier: Apache-2.0

/// The kinds of things that numbers are asked for.
enum ResourceKind: String, CaseIterable, Sendable {
    case namespace, deployment, statefulSet, daemonSet, job, cronJob, replicaSet, replicationController, pod, service
    case authority

    /// All words for it; the first one is printed before a name.
    var words: [String] {
        switch self {
        case .namespace: ["ns", "namespace", "namespaces"]
        case .deployment: ["deploy", "deployment", "deployments"]
        case .statefulSet: ["sts", "statefulset", "statefulsets"]
        case .daemonSet: ["ds", "daemonset", "daemonsets"]
        case .job: ["job", "jobs"]
        case .cronJob: ["cj", "cronjob", "cronjobs"]
        case .replicaSet: ["rs", "replicaset", "replicasets"]
        case .replicationController: ["rc", "replicationcontroller", "replicationcontrollers"]
        case .pod: ["po", "pod", "pods"]
        case .service: ["svc", "service", "services"]
        case .authority: ["au", "authority", "authorities"]
        }
    }

    init?(word: some StringProtocol) {
        let word = word.lowercased()
        guard let kind = ResourceKind.allCases.first(where: { $0.words.contains(word) }) else { return nil }
        self = kind
    }

    /// The kind of owner that agents report for it; `nil` if pods are not owned by such a thing.
    var ownerKind: String? {
        switch self {
        case .deployment: "Deployment"
        case .statefulSet: "StatefulSet"
        case .daemonSet: "DaemonSet"
        case .job: "Job"
        case .cronJob: "CronJob"
        case .replicaSet: "ReplicaSet"
        case .replicationController: "ReplicationController"
        case .namespace, .pod, .service, .authority: nil
        }
    }

    /// `cronjob`, as JSON says it.
    var jsonName: String { rawValue.lowercased() }
}

/// `deploy`, `deploy/web`: a kind, or one thing of it.
struct Resource: Hashable, Sendable {
    var kind: ResourceKind
    var name: String?

    /// Reads `KIND[/NAME] ...` and, as kubectl does, `KIND NAME ...`.
    static func parse(_ arguments: [String]) throws -> [Resource] {
        var resources: [Resource] = []
        var bare: ResourceKind?
        for argument in arguments {
            let parts = argument.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            if argument == "all" {
                resources += [.deployment, .statefulSet, .daemonSet, .job, .pod, .service].map { Resource(kind: $0) }
            } else if let kind = parts.first.flatMap({ ResourceKind(word: $0) }) {
                if parts.count == 2, parts[1].isEmpty { throw CommandError("\(argument.visible) has no name after /") }
                resources.append(Resource(kind: kind, name: parts.count == 2 ? String(parts[1]) : nil))
                bare = parts.count == 2 ? nil : kind
            } else if parts.count == 1, let kind = bare {
                // `deploy web`: the name belongs to the kind before it.
                if resources.last == Resource(kind: kind) { resources.removeLast() }
                resources.append(Resource(kind: kind, name: argument))
            } else {
                let known = ResourceKind.allCases.map { $0.words[0] }.joined(separator: ", ")
                throw CommandError("\(argument.visible) is no kind of thing: \(known) are (KIND or KIND/NAME)")
            }
        }
        return resources
    }
}
