// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// How a program gets into a pod: its cgroup, its network namespace and a mount namespace with the pod's `/etc/hosts`
/// (`ip netns exec` makes that from `/etc/netns/NAME`).
package enum PodCommand {
    /// The arguments that run `command` inside `pod`.
    package static func arguments(
        _ command: [String], in pod: ClusterPlan.Pod, cluster: ControlGroup, workingDirectory: String? = nil
    ) -> [String] {
        let directory = workingDirectory.map { [program("env"), "-C", $0] } ?? []
        return enter(group(of: pod, in: cluster)) + [program("ip"), "netns", "exec", pod.netns] + name(pod) + directory
            + command
    }

    /// The arguments that run `command` inside a node's network namespace with the machine's own mounts: the agent
    /// needs cgroup2 and the BPF file system.
    static func arguments(_ command: [String], onNode node: ClusterPlan.Node, group: ControlGroup) -> [String] {
        enter(group) + [program("nsenter"), "--net=/run/netns/\(node.netns)", "--"] + command
    }

    /// The environment of a container.
    package static func environment(of container: ClusterPlan.Container, in pod: ClusterPlan.Pod) -> [String: String] {
        var result = ["PATH": container.searchPath, "HOME": "/root", "HOSTNAME": pod.hostname]
        for variable in container.environment { result[variable.name] = variable.value }
        return result
    }

    /// The cgroup of a pod.
    static func group(of pod: ClusterPlan.Pod, in cluster: ControlGroup) -> ControlGroup {
        cluster.child(pod.node).child("pod-\(pod.uid)")
    }

    /// A shell enters the group before anything else runs: the connect hooks must see the program's first socket.
    private static func enter(_ group: ControlGroup) -> [String] {
        [program("sh"), "-c", #"echo 0 > "$0"/cgroup.procs && exec "$@""#, group.path]
    }

    /// Gives the program a host name of its own.
    private static func name(_ pod: ClusterPlan.Pod) -> [String] {
        let script = #"echo "$0" > /proc/sys/kernel/hostname && exec "$@""#
        return [program("unshare"), "--uts", program("sh"), "-c", script, pod.hostname]
    }

    /// A full path, since the container's PATH is its own affair.
    private static func program(_ name: String) -> String {
        let directories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        return directories.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 } ?? name
    }
}
