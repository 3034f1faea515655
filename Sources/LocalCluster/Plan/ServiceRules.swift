// SPDX-License-Identifier: Apache-2.0

/// The nftables ruleset that makes service addresses work on a node, for pods in the mesh and outside it: what
/// kube-proxy is in Kubernetes.
package enum ServiceRules {
    /// A script for `nft -f` that replaces the node's table in one step. Only `ready` pods, by uid, get anything.
    ///
    /// Addresses are rewritten, so nothing needs masquerading except a pod that reaches itself through a service (its
    /// kernel drops packets that come from its own address) and whoever comes from outside the pod range (answers must
    /// come back the same way). A service without a ready endpoint refuses at once.
    package static func script(for node: ClusterPlan.Node, in plan: ClusterPlan, ready: Set<String>) -> String {
        var rules: [String] = []
        for service in plan.services {
            guard let address = service.address else { continue }
            for port in service.ports {
                let targets = port.targets.filter { ready.contains($0.pod) }
                if let verdict = destination(targets) {
                    let transport = port.transport.rawValue.lowercased()
                    rules.append("    ip daddr \(address) \(transport) dport \(port.port) \(verdict)")
                }
            }
        }
        let own = plan.pods.filter { $0.node == node.name }.map { "\($0.address) . \($0.address)" }
        let hairpin = own.isEmpty ? "" : "\n    ip saddr . ip daddr { \(own.joined(separator: ", ")) } masquerade"
        return """
            add table ip apus_services
            delete table ip apus_services
            table ip apus_services {
              chain services {
            \(rules.joined(separator: "\n"))
              }
              chain prerouting {
                type nat hook prerouting priority dstnat; policy accept;
                jump services
              }
              chain output {
                type nat hook output priority -100; policy accept;
                jump services
              }
              chain postrouting {
                type nat hook postrouting priority srcnat; policy accept;\(hairpin)
                ct status dnat ip saddr != \(AddressRanges.pods) masquerade
              }
              chain refuse {
                ip daddr \(AddressRanges.services) meta l4proto tcp reject with tcp reset
                ip daddr \(AddressRanges.services) reject
              }
              chain forward {
                type filter hook forward priority filter; policy accept;
                jump refuse
              }
              chain local {
                type filter hook output priority filter; policy accept;
                jump refuse
              }
            }

            """
    }

    private static func destination(_ targets: [ClusterPlan.Service.Target]) -> String? {
        switch targets.count {
        case 0: return nil
        case 1: return "dnat to \(targets[0].address):\(targets[0].port)"
        default:
            let choices = targets.enumerated().map { "\($0) : \($1.address) . \($1.port)" }.joined(separator: ", ")
            return "dnat to numgen random mod \(targets.count) map { \(choices) }"
        }
    }
}
