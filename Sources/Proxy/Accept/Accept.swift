// SPDX-License-Identifier: Apache-2.0

// Stage 2, accept: a pod's listener has connections. Runs on the worker's thread. A connection becomes a session as soon
// as its pod may have one more, its own address has told where it wanted to go, and its target is known; everything else
// is refused with RST, counted by reason.

import Addresses
import Glibc
import Kernel
import Model
import ProxyLink
import Routing
import Synchronization
import Telemetry

extension Worker {
    /// Takes what a listener has, up to a bound: other pods wait too.
    mutating func accept(on listener: ConnectionRef) {
        guard let pod = listener.pointee.pod else { return }
        let direction: Direction = listener.pointee.isInbound ? .inbound : .outbound
        for _ in 0..<Limits.acceptsPerEvent {
            var client = SocketAddress(.anyV4, 0)
            let number = Socket.accept(listener.pointee.descriptor, peer: &client)
            guard number >= 0 else {
                if number == -Int(EMFILE) || number == -Int(ENFILE) {
                    refuseForWantOfDescriptors(listener.pointee.descriptor, pod, direction)
                }
                return
            }
            let descriptor = CInt(truncatingIfNeeded: number)
            if let other = lessBusy() {
                count(.handedOver)
                other.mailbox.put(
                    .adopt(descriptor: descriptor, pod: pod.pointee.id, direction: direction, client: client))
            } else {
                admit(descriptor, pod, direction, client)
            }
        }
    }

    /// A worker that has markedly fewer sessions than this one.
    private func lessBusy() -> WorkerHandle? {
        var least: WorkerHandle?
        var load = sessionCount - Limits.handOverDifference
        for other in others {
            let theirs = other.load.load(ordering: .relaxed)
            if theirs < load {
                least = other
                load = theirs
            }
        }
        return least
    }

    /// Makes a session of an accepted connection, or refuses it.
    mutating func admit(_ descriptor: CInt, _ pod: PodRef, _ direction: Direction, _ client: SocketAddress) {
        guard let configuration, !pod.pointee.isWithdrawn else { return refuse(descriptor, pod, direction, .noRoute) }
        let shared = pod.pointee.shared
        guard shared.connections.add(1, ordering: .relaxed).newValue <= pod.pointee.settings.connectionLimit else {
            shared.connections.subtract(1, ordering: .relaxed)
            return refuse(descriptor, pod, direction, .podLimit)
        }
        guard let original = Socket.localAddress(descriptor) else {
            shared.connections.subtract(1, ordering: .relaxed)
            return refuse(descriptor, pod, direction, .noRoute)
        }
        let target = target(
            Target.Key(address: original, inboundPod: direction == .inbound ? pod.pointee.id : .none), configuration)
        let isOpaque =
            target.pointee.isOpaque
            || (target.pointee.isPinned && pod.pointee.settings.opaquePorts.contains(original.port))
        let isDenied =
            direction == .inbound
            && !pod.pointee.settings.policy.allows(
                isIdentified: false, isInCluster: configuration.table.isMeshed(client.ip))

        let down = connections.take()
        down.initialize(to: Connection(.downstream, .open, descriptor: descriptor, isIPv6: false))
        down.pointee.pod = pod
        do throws(SystemError) {
            try watch(down)
        } catch {
            down.deinitialize(count: 1)
            connections.giveBack(down)
            shared.connections.subtract(1, ordering: .relaxed)
            return refuse(descriptor, pod, direction, .acceptExhausted)
        }
        // Sent bytes usually arrive with the connection: look at once, whatever epoll will say.
        down.pointee.isReadable = true
        down.pointee.isWritable = true

        let session = sessions.take()
        session.initialize(
            to: Session(
                down: down, pod: pod, target: target, direction: direction, isOpaque: isOpaque, isDenied: isDenied,
                client: client, original: original, now: now))
        down.pointee.session = session
        target.pointee.sessions += 1
        session.pointee.nextInPod = pod.pointee.firstSession
        pod.pointee.firstSession?.pointee.previousInPod = session
        pod.pointee.firstSession = session
        sessionCount += 1
        handle.load.store(sessionCount, ordering: .relaxed)
        openSeries(session)
        enqueue(session)
    }

    private mutating func refuse(
        _ descriptor: CInt, _ pod: PodRef, _ direction: Direction, _ reason: Failure.Reason
    ) {
        pod.pointee.count(reason, direction)
        Socket.resetOnClose(descriptor)
        close(descriptor)
    }

    /// No descriptor is left: the spare one lets us take the connection and refuse it, instead of being woken for ever.
    @inline(never)
    private mutating func refuseForWantOfDescriptors(_ listener: CInt, _ pod: PodRef, _ direction: Direction) {
        count(.acceptExhausted)
        if spareDescriptor >= 0 { close(spareDescriptor) }
        var client = SocketAddress(.anyV4, 0)
        let number = Socket.accept(listener, peer: &client)
        if number >= 0 { refuse(CInt(truncatingIfNeeded: number), pod, direction, .acceptExhausted) }
        spareDescriptor = dup(handle.mailbox.descriptor)
    }

    /// The target for a destination; made if there is none.
    private mutating func target(_ key: Target.Key, _ configuration: Configuration) -> TargetRef {
        if let found = targets[key] { return found }
        let target = TargetRef.allocate(capacity: 1)
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        target.initialize(to: Target(key: key, seed: seed))
        target.pointee.update(configuration.table, pods: pods)
        targets[key] = target
        return target
    }

    /// A session has left its target.
    mutating func leave(_ target: TargetRef) {
        target.pointee.sessions -= 1
        if target.pointee.sessions == 0 { target.pointee.unusedSince = now }
    }
}
