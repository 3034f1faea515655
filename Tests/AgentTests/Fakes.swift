// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Kernel
import Model
import ProxyLink
import Synchronization
import Telemetry

@testable import Agent

/// What a fake did, readable from the test while actors use the fake.
final class Journal: Sendable {
    private let entries = Mutex<[String]>([])

    var lines: [String] { entries.withLock { $0 } }
    func note(_ line: String) { entries.withLock { $0.append(line) } }
    func clear() { entries.withLock { $0 = [] } }
}

/// ``Interception`` that captures nothing: listeners on loopback, sockets in the test's own namespace.
final class FakeInterception: Interception {
    let journal: Journal
    /// Pods that cannot be enrolled, by name.
    let broken: Mutex<Set<String>>
    private var slots: [String: UInt32] = [:]

    init(_ journal: Journal, broken: Set<String> = []) {
        self.journal = journal
        self.broken = Mutex(broken)
    }

    struct Broken: Error, CustomStringConvertible { let description = "the namespace is broken" }

    func setMeshedRanges(_ ranges: [IPPrefix]) throws { journal.note("ranges \(ranges.count)") }

    func enrol(_ pod: LocalPod) throws -> EnrolledPod {
        let name = pod.workload.name
        if broken.withLock({ $0.contains(name) }) { throw Broken() }
        journal.note("enrol \(name)")
        let slot = slots[name] ?? UInt32(slots.count)
        slots[name] = slot
        let listeners = Direction.allCases.map { ($0, FakeInterception.listener()) }
        return EnrolledPod(slot: slot, listeners: listeners, hasIPv6: false)
    }

    func withdraw(_ pod: LocalPod) throws { journal.note("withdraw \(pod.workload.name)") }
    func withdrawAll(except uids: Set<String>) throws { journal.note("withdraw all but \(uids.sorted())") }

    func makeSockets(_ pod: LocalPod, ipv6: Bool, count: Int) throws -> [CInt] {
        journal.note("sockets \(pod.workload.name) \(count)")
        return (0..<count).map { _ in socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0) }
    }

    func adopt(listeners: [CInt]) throws -> Int {
        journal.note("adopt \(listeners.count)")
        return listeners.count
    }

    func decisions() throws -> [(reason: String, count: UInt64)] { [("redirected", 7)] }
    func endedConnections() throws -> [EndedConnection] { [] }
    func close(leaveInPlace: Bool) throws { journal.note("close \(leaveInPlace)") }

    private static func listener() -> CInt {
        let number = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        listen(number, 1)
        return number
    }
}

/// A proxy that only remembers what it is told.
final class FakeLink: ProxyConnecting {
    let workers: UInt16
    private let sent = Mutex<[(message: AgentMessage, descriptors: Int)]>([])

    init(workers: UInt16 = 1) { self.workers = workers }

    var messages: [AgentMessage] { sent.withLock { $0.map(\.message) } }
    func clear() { sent.withLock { $0 = [] } }

    func send(_ message: AgentMessage, descriptors: [CInt]) {
        // What the kernel would do: a closed descriptor cannot be passed on.
        let open = descriptors.filter { fcntl($0, F_GETFD) >= 0 }.count
        precondition(open == descriptors.count, "a descriptor was closed before it was sent")
        sent.withLock { $0.append((message, descriptors.count)) }
    }

    /// How many sockets came for a worker.
    var sockets: Int {
        sent.withLock { sent in
            sent.reduce(0) { sum, entry in
                if case .sockets = entry.message { return sum + entry.descriptors }
                return sum
            }
        }
    }
}

/// A clock that a test sets.
final class TestClock: Sendable {
    private let seconds = Mutex(0.0)

    var now: Double {
        get { seconds.withLock { $0 } }
        set { seconds.withLock { $0 = newValue } }
    }
}

/// Waits until something is true, at most some seconds; false if it never was.
func eventually(within seconds: Double = 20, _ condition: () async -> Bool) async -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(seconds)
    while clock.now < deadline {
        if await condition() { return true }
        await Task.yield()
        try? await Task.sleep(for: .milliseconds(5))
    }
    return await condition()
}
