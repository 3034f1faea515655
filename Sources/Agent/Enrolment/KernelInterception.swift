// SPDX-License-Identifier: Apache-2.0

import Addresses
import Kernel
import Model
import Redirect
import Telemetry

/// ``Interception`` by our eBPF programs.
final class KernelInterception: Interception {
    private let redirect: Redirect

    init(_ options: RedirectOptions) throws { redirect = try Redirect(options) }

    func setMeshedRanges(_ ranges: [IPPrefix]) throws { try redirect.setMeshedRanges(ranges) }

    func enrol(_ pod: LocalPod) throws -> EnrolledPod {
        let enrolled = try redirect.enrol(
            PodRedirect(
                uid: pod.workload.uid, networkNamespacePath: pod.networkNamespacePath,
                addresses: pod.workload.addresses, skipInbound: pod.skipInboundPorts.ranges,
                skipOutbound: pod.skipOutboundPorts.ranges, failOpen: pod.failOpen))
        let listeners = try enrolled.listeners.map { listener in
            (Direction(listener.direction), try Descriptor(duplicating: listener.descriptor).release())
        }
        return EnrolledPod(slot: enrolled.slot, listeners: listeners, hasIPv6: enrolled.ipv6)
    }

    func withdraw(_ pod: LocalPod) throws { try redirect.withdraw(uid: pod.workload.uid) }

    func withdrawAll(except uids: Set<String>) throws { try redirect.withdrawAllExcept(uids) }

    func makeSockets(_ pod: LocalPod, ipv6: Bool, count: Int) throws -> [CInt] {
        try redirect.makeSockets(uid: pod.workload.uid, ipv6: ipv6, count: count)
    }

    func adopt(listeners: [CInt]) throws -> Int { try redirect.adopt(listeners: listeners).count }

    func decisions() throws -> [(reason: String, count: UInt64)] { try redirect.counters() }

    func endedConnections() throws -> [EndedConnection] {
        var ended: [EndedConnection] = []
        try redirect.drainStatistics { statistics in
            // The application's own sockets were not captured: their peers are not ours to speak of.
            guard statistics.kind != nil else { return }
            ended.append(
                EndedConnection(
                    slot: statistics.slot, direction: Direction(statistics.direction),
                    roundTripMicroseconds: UInt64(statistics.smoothedRoundTripMicroseconds),
                    retransmits: UInt64(statistics.retransmits)))
        }
        return ended
    }

    func close(leaveInPlace: Bool) throws { try redirect.close(leaveInPlace: leaveInPlace) }
}

extension Direction {
    fileprivate init(_ direction: CaptureDirection) { self = direction == .inbound ? .inbound : .outbound }
}
