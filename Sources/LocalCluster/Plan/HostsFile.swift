// SPDX-License-Identifier: Apache-2.0

/// The `/etc/hosts` of a pod: service names as cluster DNS would answer them, since there is no DNS server here.
package enum HostsFile {
    /// The file's text for `pod`. A headless service has a line for each of its pods.
    package static func text(for pod: ClusterPlan.Pod, in plan: ClusterPlan) -> String {
        var lines = [
            "# Written by apus local: names of services, as cluster DNS would answer them.",
            "127.0.0.1\tlocalhost",
            "::1\tlocalhost ip6-localhost ip6-loopback",
            "\(pod.address)\t\(pod.hostname)",
        ]
        let pods = Dictionary(uniqueKeysWithValues: plan.pods.map { ($0.uid, $0) })
        for service in plan.services {
            let names = names(service.name, service.namespace, seenFrom: pod.namespace)
            if let address = service.address {
                lines.append("\(address)\t\(names)")
                continue
            }
            for member in service.pods.compactMap({ pods[$0] }) {
                let own = member.ownerKind == Manifest.WorkloadObject.Kind.statefulSet.rawValue
                let extra =
                    own
                    ? " " + self.names("\(member.name).\(service.name)", service.namespace, seenFrom: pod.namespace)
                    : ""
                lines.append("\(member.address)\t\(names)\(extra)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func names(_ name: String, _ namespace: String, seenFrom own: String) -> String {
        let qualified = "\(name).\(namespace)"
        let names = ["\(qualified).svc.cluster.local", "\(qualified).svc", qualified]
        return (namespace == own ? names + [name] : names).joined(separator: " ")
    }
}
