// SPDX-License-Identifier: Apache-2.0

import Addresses
import BPF
import CApusABI
import Kernel

extension Redirect {
    /// Brings a pod into the mesh, or makes an enrolled pod match `pod`. May be called at any time, also after a crash
    /// half-way through: every step finds what is there and adds what is missing.
    ///
    /// Connections that are open stay as they are. From the return on, new ones wait in the listeners' backlogs until
    /// somebody accepts. If it throws for a pod that had no slot before, nothing of it is left.
    package func enrol(_ pod: PodRedirect) throws(RedirectError) -> Enrolled {
        try pod.validate()
        return try RedirectError.during("enrolling pod \(pod.uid)") {
            let namespace = try NetworkNamespace(path: pod.networkNamespacePath)
            let cookie = try namespace.cookie()
            // The pod's sandbox was made anew, or the namespace has got another pod: the old enrolment is void.
            for old in Array(pods.values) where (old.uid == pod.uid) != (old.cookie == cookie) {
                try withdraw(uid: old.uid)
            }
            let known = pods[pod.uid]
            let entry = try known ?? takeSlot(for: pod, cookie: cookie)
            entry.networkNamespacePath = pod.networkNamespacePath
            entry.namespace = consume namespace
            do {
                return try setUp(entry, as: pod)
            } catch {
                if known == nil { try? withdraw(uid: pod.uid) }
                throw error
            }
        }
    }

    /// Counts the pod's listening ports anew. Needed now and then only for pods that were running before the first
    /// agent: the kernel does not tell us when listeners from that time close.
    package func recountPorts(uid: String) throws(RedirectError) {
        guard let entry = pods[uid], entry.namespace != nil else { throw .notEnrolled(uid: uid) }
        try RedirectError.during("counting the listeners of pod \(uid)") { try recountPorts(of: entry) }
    }

    private func takeSlot(for pod: PodRedirect, cookie: UInt64) throws -> EnrolledPod {
        let taken = Set(pods.values.map(\.slot))
        guard let slot = (0..<UInt32(APUS_MAX_SLOTS)).first(where: { !taken.contains($0) }) else {
            throw RedirectError.tooManyPods(limit: Int(APUS_MAX_SLOTS))
        }
        // Whatever an earlier owner of the slot left would be this pod's.
        programs.detachLookup(slot: slot)
        try programs.maps.clear(slot: slot)
        let entry = EnrolledPod(
            uid: pod.uid, slot: slot, cookie: cookie, networkNamespacePath: pod.networkNamespacePath)
        pods[pod.uid] = entry
        return entry
    }

    /// The order matters: what a step relies on is there before it, and capture is switched on last.
    private func setUp(_ entry: EnrolledPod, as pod: PodRedirect) throws -> Enrolled {
        let slot = entry.slot
        let isCapturing = try programs.maps.pods.value(of: entry.cookie).map { $0.flags & UInt32(APUS_CAPTURE) } ?? 0
        try programs.maps.slots.update(
            slot, to: apus_slot(cookie: entry.cookie, flags: pod.flags, uid: pod.uid, path: pod.networkNamespacePath))
        try fillTables(slot: slot, from: pod)
        // Known to sockops before the listeners are counted, so that none slips between.
        try programs.maps.pods.update(entry.cookie, to: apus_pod(slot: slot, flags: pod.flags | isCapturing))
        try recountPorts(of: entry)
        entry.ipv6 = try setRoutes(in: entry, for: pod)
        let wereThere = try makeListeners(for: entry)
        try enterListeners(of: entry, pod)
        try attachLookup(entry)
        try programs.maps.pods.update(entry.cookie, to: apus_pod(slot: slot, flags: pod.flags | UInt32(APUS_CAPTURE)))
        let listeners = CaptureDirection.allCases.compactMap { direction in
            entry.listeners[direction].map {
                EnrolledListener(direction: direction, descriptor: $0.descriptor.rawValue)
            }
        }
        return Enrolled(slot: slot, listeners: listeners, ipv6: entry.ipv6, adopted: wereThere)
    }

    private func fillTables(slot: UInt32, from pod: PodRedirect) throws {
        try programs.maps.addresses.reconcile(
            pod.addresses.map { apus_own_address(slot: slot, ip: apus_ip($0)) }, mine: { $0.slot == slot })
        let exempt =
            pod.skipInbound.flatMap { apus_exempt.covering($0, slot: slot, direction: .inbound) }
            + pod.skipOutbound.flatMap { apus_exempt.covering($0, slot: slot, direction: .outbound) }
        try programs.maps.exempt.reconcile(exempt, mine: { $0.slot == slot })
    }

    /// - Returns: whether IPv6 is captured. A pod that has an IPv6 address but not the means for a route is no reason to
    ///   leave it out of the mesh: its IPv6 connections are refused, since they have no listener.
    private func setRoutes(in entry: EnrolledPod, for pod: PodRedirect) throws -> Bool {
        try entry.inNamespace {
            var netlink = try Netlink(.route)
            if let source = pod.addresses.first(where: \.isV4) { try netlink.deliver(.capture, from: source) }
            guard let source = pod.addresses.first(where: { !$0.isV4 }) else { return false }
            do {
                try netlink.deliver(.capture, from: source)
                return true
            } catch {
                options.log("pod \(pod.uid): IPv6 is refused, since its route cannot be set: \(error)")
                return false
            }
        }
    }

    /// - Returns: whether all of them were there already.
    private func makeListeners(for entry: EnrolledPod) throws -> Bool {
        var wereThere = true
        for direction in CaptureDirection.allCases where entry.listeners[direction] == nil {
            let tag = Tag(kind: .listener, slot: entry.slot, direction: direction)
            if let back = returned.removeValue(forKey: tag) {
                entry.listeners[direction] = back
                continue
            }
            wereThere = false
            let port = UInt16(direction == .inbound ? APUS_INBOUND_PORT : APUS_OUTBOUND_PORT)
            let made = try RedirectError.during("making the \(direction) listener at port \(port)") {
                try entry.inNamespace { try SharedDescriptor(PodSockets.makeListener(port: port)) }
            }
            // Tagged before it listens: accepted sockets have the tag that their listener had when the SYN came.
            try programs.maps.tags.update(made.descriptor.rawValue, to: tag.abi)
            try PodSockets.startListening(made.descriptor)
            entry.listeners[direction] = made
        }
        return wereThere
    }

    private func enterListeners(of entry: EnrolledPod, _ pod: PodRedirect) throws {
        for (direction, listener) in entry.listeners {
            for isV4 in [true, false] {
                let index = listenerIndex(slot: entry.slot, direction: direction, isV4: isV4)
                if isV4 || (entry.ipv6 && PodSockets.isDualStack(listener.descriptor)) {
                    try programs.maps.listeners.update(index, to: UInt64(listener.descriptor.rawValue))
                } else {
                    try programs.maps.listeners.remove(index)
                }
            }
        }
    }

    private func attachLookup(_ entry: EnrolledPod) throws {
        guard entry.namespace != nil else { throw RedirectError.notEnrolled(uid: entry.uid) }
        guard !entry.hasLookup else { return }
        try programs.attachLookup(slot: entry.slot, to: entry.namespace!)
        entry.hasLookup = true
    }

    private func recountPorts(of entry: EnrolledPod) throws {
        // What is counted is read first: a listener that comes while we look is then in neither list and left alone.
        let keys = try programs.maps.counted.keys()
        let counted = try keys.filter { try programs.maps.counted.value(of: $0)?.slot == entry.slot }
        let listening = try entry.inNamespace {
            var netlink = try Netlink(.socketDiagnostics)
            return try netlink.listeners().filter {
                $0.port != UInt16(APUS_INBOUND_PORT) && $0.port != UInt16(APUS_OUTBOUND_PORT)
            }
        }
        let cookies = Set(listening.map(\.cookie))
        for cookie in counted where !cookies.contains(cookie) {
            try recount(cookie, apus_port(slot: entry.slot, port: 0, pad: 0), remove: true)
        }
        for socket in listening {
            try recount(socket.cookie, apus_port(slot: entry.slot, port: socket.port, pad: 0), remove: false)
        }
    }

    private func recount(_ cookie: UInt64, _ port: apus_port, remove: Bool) throws {
        let argument = apus_recount(socket_cookie: cookie, port: port, remove: remove ? 1 : 0, pad: 0)
        try programs.recount.run("apus_recount", argument)
    }
}

extension EnrolledPod {
    /// Runs `body` on this thread inside the pod's namespace.
    func inNamespace<Result>(_ body: () throws -> Result) throws -> Result {
        guard namespace != nil else { throw RedirectError.notEnrolled(uid: uid) }
        return try namespace!.run(body)
    }
}
