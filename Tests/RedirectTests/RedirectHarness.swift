// SPDX-License-Identifier: Apache-2.0

import Addresses
import Foundation
import Glibc
import Kernel
import Redirect
import Synchronization
import TestSupport
import Testing

/// One node with interception, in namespaces and a cgroup of its own. Everything is gone when it is.
///
/// This process plays agent, proxy and applications. It is moved into the test's cgroup, so all its sockets are seen by
/// the programs, and nobody else's on the machine.
final class RedirectHarness {
    let network: TestNetwork
    let options: RedirectOptions
    var redirect: Redirect!
    let messages = Messages()
    private let cgroup: String
    /// Where the process was before the first test: another test's cgroup would not be empty when it is to go.
    private static let home = Result { try RedirectHarness.currentCgroup() }

    final class Messages: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func append(_ line: String) { lines.withLock { $0.append(line) } }
    }

    init() throws {
        network = try TestNetwork()
        let name = "\(TestLeftovers.prefix)\(getpid())-\(RedirectHarness.numbers.add(1, ordering: .relaxed).newValue)"
        cgroup = "\(TestLeftovers.cgroupRoot)/\(name)"
        _ = try RedirectHarness.home.get()
        guard mkdir(cgroup, 0o755) == 0 else { throw TestSocket.Failed(call: "mkdir", code: errno) }
        options = RedirectOptions(
            objectDirectory: try RedirectHarness.objects.get(), pinDirectory: "\(TestLeftovers.pinRoot)/\(name)",
            cgroupPath: cgroup, agentCgroupPath: cgroup, log: { [messages] in messages.append($0) })
        try start()
    }

    deinit {
        try? redirect?.close(leaveInPlace: false)
        redirect = nil
        if let home = try? RedirectHarness.home.get(), let file = FileHandle(forWritingAtPath: "\(home)/cgroup.procs") {
            file.write(Data("\(getpid())".utf8))
        }
        // A thread of a test that is just ending keeps it busy for a moment.
        let isGone = eventually { rmdir(self.cgroup) == 0 || errno == ENOENT }
        if !isGone { Issue.record("\(cgroup) stays behind") }
    }

    /// A new agent, with whatever the last one left.
    func start() throws {
        redirect = try Redirect(options)
        try redirect.setMeshedRanges(TestNetwork.meshedRanges)
    }

    /// An agent that is killed: no more of it than its pins, and the descriptors that others hold.
    func kill() { redirect = nil }

    func enrol(
        _ pod: TestNetwork.Pod, uid: String? = nil, skipInbound: [ClosedRange<UInt16>] = [],
        skipOutbound: [ClosedRange<UInt16>] = [], failOpen: Bool = false
    ) throws -> Enrolled {
        try redirect.enrol(
            PodRedirect(
                uid: uid ?? pod.name, networkNamespacePath: pod.path, addresses: pod.addresses,
                skipInbound: skipInbound, skipOutbound: skipOutbound, failOpen: failOpen))
    }

    /// Enrols the pod and starts a proxy for it.
    func enrolWithProxy(
        _ pod: TestNetwork.Pod, skipInbound: [ClosedRange<UInt16>] = [], skipOutbound: [ClosedRange<UInt16>] = [],
        failOpen: Bool = false
    ) throws -> TestProxy {
        let enrolled = try enrol(pod, skipInbound: skipInbound, skipOutbound: skipOutbound, failOpen: failOpen)
        return try TestProxy(redirect, enrolled, pod)
    }

    func count(_ reason: RedirectReason) throws -> UInt64 {
        try redirect.counters().first { $0.reason == reason.rawValue }!.count
    }

    /// Checks that `body` makes exactly the counters in `reasons` go up.
    func expectCounted(
        _ reasons: Set<RedirectReason>, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
    ) throws {
        let before = try redirect.counters()
        try body()
        let after = try redirect.counters()
        let moved = Set(
            zip(before, after).filter { $0.count < $1.count }.compactMap { RedirectReason(rawValue: $0.0.reason) })
        // What ends meanwhile, of this or an earlier step, is told when it ends.
        let noise: Set<RedirectReason> = [.statisticsSent, .clientStale]
        #expect(moved.subtracting(noise) == reasons.subtracting(noise), sourceLocation: sourceLocation)
    }

    private static let numbers = Atomic<Int>(0)

    /// Compiled once for a test run, unless APUS_BPF_OBJECTS names a directory of objects made by another compiler.
    static let objects = Result<String, any Error> {
        if let given = ProcessInfo.processInfo.environment["APUS_BPF_OBJECTS"] { return given }
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let directory = "\(root)/out/bpf"
        try TestCommand.run("make", "-s", "-C", "\(root)/bpf", "OUT=\(directory)")
        return directory
    }

    private static func currentCgroup() throws -> String {
        let text = try String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)
        let inside = text.split(separator: "\n").first { $0.hasPrefix("0::/") }?.dropFirst(4) ?? ""
        return inside.isEmpty ? TestLeftovers.cgroupRoot : "\(TestLeftovers.cgroupRoot)/\(inside)"
    }
}

/// Waits for a condition that another thread or the kernel brings about; gives up after 5 s.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(5)
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        usleep(2000)
    }
    return try condition()
}

extension TestNetwork.Pod {
    /// A listening socket of an application in the pod.
    func listen(_ port: UInt16, ipv6: Bool = false, reusePort: Bool = false) throws -> TestSocket {
        try run {
            let socket = try TestSocket(ipv6: ipv6)
            try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
            if reusePort { try socket.set(SOL_SOCKET, SO_REUSEPORT, 1) }
            try socket.bind(SocketAddress(ipv6 ? .anyV6 : .anyV4, port))
            try socket.listen()
            return socket
        }
    }

    func socket(ipv6: Bool = false) throws -> TestSocket { try run { try TestSocket(ipv6: ipv6) } }
}

/// All tests of interception: they share the process's cgroup, so one at a time.
@Suite(
    .serialized, .enabled(if: TestRequirement.root, Comment(rawValue: TestRequirement.rootReason)),
    .timeLimit(.minutes(5)))
struct Redirecting {}
