// SPDX-License-Identifier: Apache-2.0

package import Addresses
import BPF
import CApusABI
import Glibc
import Kernel

/// Interception on this node: our BPF programs, their maps, and what was set up inside each enrolled pod's namespace.
///
/// Everything that makes traffic flow is pinned or belongs to a pod's namespace, so it goes on when this process dies;
/// a new instance with the same pin directory takes it over. One owner, which calls it from one thread at a time and
/// does not suspend within a call: some calls move the calling thread into a pod's namespace and back.
package final class Redirect {
    let options: RedirectOptions
    let programs: Programs
    private let cgroup: AgentCgroup
    private var statistics: RingBuffer<apus_connection>

    /// Pods that have a slot, by uid; those that only pinned state speaks of included.
    var pods: [String: EnrolledPod] = [:]
    /// Listeners that were handed back and not yet claimed by ``enrol(_:)``.
    var returned: [Tag: SharedDescriptor] = [:]

    /// Loads and attaches the programs, or takes over those of an earlier process.
    package init(_ options: RedirectOptions) throws(RedirectError) {
        precondition(RedirectReason.allCases.count == Int(APUS_REASON_COUNT.rawValue), "a reason without a name")
        var options = options
        options.cgroupPath = Redirect.resolved(options.cgroupPath)
        options.agentCgroupPath = options.agentCgroupPath.map(Redirect.resolved)
        self.options = options
        try BPFFileSystem.prepare(options.pinDirectory)
        try Redirect.discardForeignState(options)
        let name = options.pinDirectory.split(separator: "/").last.map(String.init) ?? "node"
        cgroup = try AgentCgroup.join(options.agentCgroupPath, cgroupPath: options.cgroupPath, name: name)
        programs = try Redirect.load(options, agentCgroup: cgroup.path)
        statistics = try Redirect.openStatistics(programs)
        try readSlots()
    }

    /// The uids of all pods that have a slot: enrolled by this process, or by one before it.
    package var uids: Set<String> { Set(pods.keys) }

    /// The cgroup this process is in; a proxy that it starts inherits it.
    package var agentCgroupPath: String { cgroup.path }

    /// The destinations that are captured; everything else keeps its own way.
    package func setMeshedRanges(_ ranges: [IPPrefix]) throws(RedirectError) {
        let keys = ranges.map { apus_range(length: UInt32($0.length), ip: apus_ip($0.address)) }
        try RedirectError.during("setting the meshed ranges") {
            try programs.maps.meshed.reconcile(keys) { _ in true }
        }
    }

    /// Every decision the programs have made since they were first loaded, summed over processors.
    package func counters() throws(RedirectError) -> [(reason: String, count: UInt64)] {
        try RedirectError.during("reading the counters") {
            try RedirectReason.allCases.enumerated().map { index, reason in
                (reason.rawValue, try programs.maps.counters.valuesPerCPU(of: UInt32(index)).reduce(0, &+))
            }
        }
    }

    /// Readable (epoll) while connections have been reported. Borrowed.
    package var statisticsDescriptor: CInt { statistics.descriptor }

    /// Hands over what the kernel reported of connections that have ended; does not wait. The buffer holds about 10,000:
    /// what comes on top of that is dropped and counted as `statistics_dropped`.
    package func drainStatistics(_ body: (ConnectionStatistics) -> Void) throws(RedirectError) {
        try RedirectError.during("reading connection statistics") {
            try statistics.drain { body(ConnectionStatistics($0)) }
        }
    }

    /// Ends this instance's work.
    /// - Parameter leaveInPlace: whether interception goes on, served by whoever holds the listeners, until another
    ///   instance takes over. Otherwise everything is withdrawn and nothing stays behind.
    package func close(leaveInPlace: Bool) throws(RedirectError) {
        if !leaveInPlace {
            try withdrawAllExcept([])
            Programs.removePins(options.pinDirectory)
            cgroup.leave()
        }
        returned = [:]
        pods = [:]
    }
}

extension Redirect {
    /// Pinned state of another layout cannot be read: it is taken off, so that nothing of it stays in force.
    private static func discardForeignState(_ options: RedirectOptions) throws(RedirectError) {
        let names = PseudoFile.names(in: options.pinDirectory)
        guard !names.isEmpty else { return }
        let meta = try RedirectError.during("reading the pinned version") {
            try BPFMap<UInt32, apus_meta>.open(pinnedAt: "\(options.pinDirectory)/meta")
        }
        let found = try RedirectError.during("reading the pinned version") { try meta?.value(of: 0)?.version }
        guard found != UInt32(APUS_ABI_VERSION) else { return }
        options.log("interception left behind by another version is taken off; its pods are enrolled anew")
        try startAfresh(options)
    }

    private static func load(_ options: RedirectOptions, agentCgroup: String) throws(RedirectError) -> Programs {
        let isTakingOver = PseudoFile.exists("\(options.pinDirectory)/meta")
        do {
            return try RedirectError.during("loading interception") {
                try Programs(options, agentCgroup: agentCgroup)
            }
        } catch  where isTakingOver {
            options.log("interception left behind cannot be taken over and is taken off; \(error)")
            try startAfresh(options)
            return try RedirectError.during("loading interception") {
                try Programs(options, agentCgroup: agentCgroup)
            }
        }
    }

    private static func startAfresh(_ options: RedirectOptions) throws(RedirectError) {
        Programs.removePins(options.pinDirectory)
        try RedirectError.during("making \(options.pinDirectory)") {
            try PseudoFile.makeDirectory(options.pinDirectory)
        }
    }

    private static func openStatistics(
        _ programs: borrowing Programs
    ) throws(RedirectError) -> RingBuffer<apus_connection> {
        do {
            return try programs.statistics()
        } catch {
            throw .bpf("opening the statistics", error)
        }
    }

    /// Learns from the pinned slots which pods an earlier process enrolled.
    private func readSlots() throws(RedirectError) {
        try RedirectError.during("reading the pinned pods") {
            try programs.maps.meta.update(0, to: apus_meta(version: UInt32(APUS_ABI_VERSION), pad: 0))
            for slot in 0..<UInt32(APUS_MAX_SLOTS) {
                guard let record = try programs.maps.slots.value(of: slot), record.isTaken else { continue }
                pods[record.uidText] = EnrolledPod(
                    uid: record.uidText, slot: slot, cookie: record.netns_cookie, networkNamespacePath: record.pathText)
            }
        }
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }
}
