// SPDX-License-Identifier: Apache-2.0

package import Addresses
import Glibc
import Kernel

/// A node made of namespaces: one with a bridge, and one for each pod on it. Nothing leaves it.
///
/// Names carry the process id; whatever a dead test process has left is removed when the next one starts.
package final class TestNetwork: @unchecked Sendable {
    /// A network namespace with an address or two.
    package final class Pod: @unchecked Sendable {
        package let name: String
        package let path: String
        package let v4: IPAddress?
        package let v6: IPAddress?

        init(name: String, v4: IPAddress?, v6: IPAddress?) {
            self.name = name
            path = "/run/netns/\(name)"
            self.v4 = v4
            self.v6 = v6
        }

        package var addresses: [IPAddress] { [v4, v6].compactMap { $0 } }

        /// Runs `body` inside, on a thread of its own. Sockets made there stay there.
        package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
            try TestThread.run(in: path, body)
        }
    }

    /// What pods and virtual addresses lie in: give these to `setMeshedRanges`.
    package static let meshedRanges = [IPPrefix("10.99.0.0/16")!, IPPrefix("fd99::/32")!]
    /// The node's address inside the ranges, and one outside.
    package static let gateway = IPAddress("10.99.0.1")!
    package static let gatewayV6 = IPAddress("fd99::1")!
    package static let outside = IPAddress("10.98.0.1")!
    package static let outsideV6 = IPAddress("fd98::1")!

    /// The node's own namespace, where kubelet would be.
    package let node: Pod
    private let prefix: String
    private var pods: [Pod] = []

    /// Makes the node.
    package init() throws {
        TestLeftovers.remove()
        prefix = "\(TestLeftovers.prefix)\(getpid())-\(TestNetwork.nextNumber())"
        node = Pod(name: "\(prefix)-node", v4: TestNetwork.gateway, v6: TestNetwork.gatewayV6)
        try TestCommand.run("ip", "netns", "add", node.name)
        try ip(in: node, "link", "set", "lo", "up")
        try ip(in: node, "link", "add", "br0", "type", "bridge")
        try ip(in: node, "link", "set", "br0", "up")
        for address in ["10.99.0.1/24", "10.98.0.1/24"] { try ip(in: node, "addr", "add", address, "dev", "br0") }
        for address in ["fd99::1/64", "fd98::1/64"] { try ip(in: node, "addr", "add", address, "dev", "br0", "nodad") }
    }

    deinit {
        for pod in pods { _ = try? TestCommand.run("ip", "netns", "del", pod.name) }
        _ = try? TestCommand.run("ip", "netns", "del", node.name)
    }

    /// What a pod may have.
    package enum Families: Sendable {
        case both, v4Only
        /// With `net.ipv6.conf.all.disable_ipv6=1`, as some clusters set it.
        case v4WithIPv6Disabled
    }

    /// Adds a pod: eth0 on the bridge, a default route through the node.
    package func addPod(_ name: String, _ families: Families = .both) throws -> Pod {
        let number = pods.count + 2
        let pod = Pod(
            name: "\(prefix)-\(name)", v4: IPAddress(v4: 0x0a63_0000 + UInt32(number)),
            v6: families == .both ? IPAddress(high: 0xfd99_0000_0000_0000, low: UInt64(number)) : nil)
        try TestCommand.run("ip", "netns", "add", pod.name)
        pods.append(pod)
        if families == .v4WithIPv6Disabled {
            try TestCommand.run(
                "ip", "netns", "exec", pod.name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                "net.ipv6.conf.default.disable_ipv6=1")
        }
        try ip(in: pod, "link", "set", "lo", "up")
        try ip(in: node, "link", "add", "p\(number)", "type", "veth", "peer", "name", "eth0", "netns", pod.name)
        try ip(in: node, "link", "set", "p\(number)", "master", "br0", "up")
        try ip(in: pod, "link", "set", "eth0", "up")
        try ip(in: pod, "addr", "add", "\(pod.v4!)/24", "dev", "eth0")
        try ip(in: pod, "route", "add", "default", "via", "10.99.0.1")
        if let v6 = pod.v6 {
            try ip(in: pod, "addr", "add", "\(v6)/64", "dev", "eth0", "nodad")
            try ip(in: pod, "route", "add", "default", "via", "fd99::1")
        }
        return pod
    }

    /// Removes a pod's name; the namespace dies unless somebody holds it.
    package func remove(_ pod: Pod) throws {
        pods.removeAll { $0 === pod }
        try TestCommand.run("ip", "netns", "del", pod.name)
    }

    /// `ip -n NAME ...`; tests only, our programs speak netlink.
    @discardableResult
    package func ip(in pod: Pod, _ words: String...) throws -> String {
        try TestCommand.run(["ip", "-n", pod.name] + words)
    }

    private static let numbers = Counter()
    private static func nextNumber() -> Int { numbers.next() }

    private final class Counter: @unchecked Sendable {
        private var lock = pthread_mutex_t()
        private var value = 0

        init() { pthread_mutex_init(&lock, nil) }

        func next() -> Int {
            pthread_mutex_lock(&lock)
            defer { pthread_mutex_unlock(&lock) }
            value += 1
            return value
        }
    }
}
