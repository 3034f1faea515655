// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel

/// Makes and removes the namespaces, bridges and routes of a plan.
///
/// Pods have a /32 address and reach even their neighbours through their node, because service addresses are rewritten
/// there. Nodes meet on one bridge in the machine's own namespace, the fabric.
package enum ClusterNetwork {
    static let fabric = "apus0"
    private static let podBridge = "pods0"

    /// Throws if the fabric's range is in use by somebody else.
    package static func checkConflicts() throws(ClusterError) {
        let output = try Tool.run(["ip", "-4", "-o", "addr", "show"])
        for line in output.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let index = fields.firstIndex(of: "inet"), index + 1 < fields.count, fields[1] != fabric else {
                continue
            }
            let address = fields[index + 1].prefix { $0 != "/" }
            if address.hasPrefix(AddressRanges.fabricPrefix + ".") {
                throw ClusterError(
                    "\(AddressRanges.fabric) joins the nodes, but \(fields[1]) has \(address): remove that address, or"
                        + " run apus local in a network namespace of its own (unshare --net)")
            }
        }
    }

    /// Makes everything. What a crashed cluster left must be gone.
    package static func create(_ plan: ClusterPlan) throws(ClusterError) {
        try ip(
            [
                "link add \(fabric) type bridge",
                "link set \(fabric) addrgenmode none",
                "addr add \(AddressRanges.fabricPrefix).1/24 dev \(fabric)",
                "link set \(fabric) up",
            ])
        for node in plan.nodes { try create(node, in: plan) }
        for pod in plan.pods { try create(pod, in: plan) }
        try addMachineRoutes(plan)
    }

    private static func create(_ node: ClusterPlan.Node, in plan: ClusterPlan) throws(ClusterError) {
        let port = "apus-\(node.index)"
        try ip(["netns add \(node.netns)"])
        // Before any interface: each takes its settings from `default` when it is made.
        try set(
            [
                "ipv4/ip_forward": "1",
                "ipv4/conf/all/send_redirects": "0", "ipv4/conf/default/send_redirects": "0",
                "ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0",
                "ipv6/conf/default/disable_ipv6": "1",
            ], in: node.netns)
        try ip(
            [
                "link add \(port) type veth peer name eth0 netns \(node.netns)",
                "link set \(port) master \(fabric)",
                "link set \(port) addrgenmode none",
                "link set \(port) up",
            ])
        var commands = [
            "link set lo up",
            "addr add \(node.fabricAddress)/24 dev eth0",
            "link set eth0 up",
            "link add \(podBridge) type bridge",
            "addr add \(node.gateway)/24 dev \(podBridge)",
            "link set \(podBridge) up",
            // For the node's own connections: a route must exist before nftables rewrites the address.
            "route add \(AddressRanges.services) dev \(podBridge)",
        ]
        for other in plan.nodes where other != node {
            commands.append("route add \(other.podRange) via \(other.fabricAddress)")
        }
        try ip(commands, in: node.netns)
    }

    private static func create(_ pod: ClusterPlan.Pod, in plan: ClusterPlan) throws(ClusterError) {
        guard let node = plan.nodes.first(where: { $0.name == pod.node }) else { return }
        let port = "pod\(pod.address.split(separator: ".").last ?? "")"
        try ip(["netns add \(pod.netns)"])
        try set(["ipv6/conf/default/disable_ipv6": "1"], in: pod.netns)
        try ip(
            [
                "link add \(port) type veth peer name eth0 netns \(pod.netns)",
                "link set \(port) master \(podBridge)",
                "link set \(port) up",
            ], in: node.netns)
        try ip(
            [
                "link set lo up",
                "addr add \(pod.address)/32 dev eth0",
                "link set eth0 up",
                "route add default via \(node.gateway) dev eth0 onlink",
            ], in: pod.netns)
    }

    /// Lets the machine itself reach pods and services: a browser, curl. Left out where such routes exist already.
    private static func addMachineRoutes(_ plan: ClusterPlan) throws(ClusterError) {
        let present = try Tool.run(["ip", "-4", "route", "show"])
        let prefixes = ["\n10.244.", "\n10.96.", "\n10.0.0.0/8"]
        guard let first = plan.nodes.first, !prefixes.contains(where: { "\n\(present)".contains($0) }) else { return }
        var commands = plan.nodes.map { "route add \($0.podRange) via \($0.fabricAddress) dev \(fabric)" }
        commands.append("route add \(AddressRanges.services) via \(first.fabricAddress) dev \(fabric)")
        try ip(commands)
    }

    /// Runs `ip` commands in one go, in the machine's own namespace or in another.
    static func ip(_ commands: [String], in netns: String? = nil) throws(ClusterError) {
        let place = netns.map { ["-n", $0] } ?? []
        try Tool.run(["ip"] + place + ["-batch", "-"], input: commands.joined(separator: "\n") + "\n")
    }

    private static func set(_ values: KeyValuePairs<String, String>, in netns: String) throws(ClusterError) {
        for (name, value) in values {
            let file = "/proc/sys/net/\(name)"
            do {
                try NetworkNamespace(path: "/run/netns/\(netns)").run {
                    // A kernel without IPv6 has nothing to switch off.
                    guard FileManager.default.fileExists(atPath: file) else { return }
                    try Data(value.utf8).write(to: URL(fileURLWithPath: file))
                }
            } catch {
                throw ClusterError("cannot set \(name) in namespace \(netns): \(error)")
            }
        }
    }
}
