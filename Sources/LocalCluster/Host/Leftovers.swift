// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// Everything a cluster may have left on the machine, found by its names rather than by its files: it also works when
/// those are gone.
package enum Leftovers {
    /// What is there, for tests and messages.
    package static func find() throws(ClusterError) -> [String] {
        var found = namespaces().map { "/run/netns/\($0)" }
        found += interfaces().map { "interface \($0)" }
        found += hostsDirectories()
        let group = try ControlGroup.cluster()
        if group.exists { found.append(group.path) }
        found += pins()
        return found
    }

    /// Ends what runs and removes what is there. Finding nothing is success.
    /// - Parameter keepGroups: leave the cgroups, for a caller that is itself in one.
    package static func remove() throws(ClusterError) {
        let group = try ControlGroup.cluster()
        if group.exists {
            group.killAll()
            guard group.waitUntilEmpty(.seconds(10)) else {
                throw ClusterError("processes in \(group.path) did not end within 10 s of being killed")
            }
            try group.remove()
        }
        // One failure must not keep the rest from going; the first is reported.
        var failure: ClusterError?
        // Interfaces before namespaces: the kernel takes those apart later, and the next cluster needs the names.
        let commands = interfaces().map { ["link", "delete", $0] } + namespaces().map { ["netns", "delete", $0] }
        for command in commands {
            do throws(ClusterError) { try Tool.run(["ip"] + command) } catch { failure = failure ?? error }
        }
        for path in hostsDirectories() + pins() { try? FileManager.default.removeItem(atPath: path) }
        rmdir("/etc/netns")
        rmdir("\(pinRoot)")
        if let failure { throw failure }
    }

    private static let pinRoot = "/sys/fs/bpf/apus"

    private static func namespaces() -> [String] { ours(in: "/run/netns") }

    /// The fabric, and the nodes' ends of it: `apus0`, `apus-1`.
    private static func interfaces() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/sys/class/net")) ?? []
        return names.filter { name in
            name == ClusterNetwork.fabric || (name.hasPrefix("apus-") && Int(name.dropFirst("apus-".count)) != nil)
        }.sorted()
    }

    private static func hostsDirectories() -> [String] { ours(in: "/etc/netns").map { "/etc/netns/\($0)" } }

    private static func pins() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: pinRoot)) ?? []
        return names.filter { $0.hasPrefix("node-") }.map { "\(pinRoot)/\($0)" }
    }

    /// `apus-node-1`, `apus-n1-...`: nobody else's `apus-` names.
    private static func ours(in directory: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { name in
            guard name.hasPrefix("apus-n") else { return false }
            let rest = name.dropFirst("apus-n".count)
            return rest.hasPrefix("ode-") || (rest.first?.isNumber == true && rest.dropFirst().first == "-")
        }.sorted()
    }
}
