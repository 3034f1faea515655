// SPDX-License-Identifier: Apache-2.0

import Glibc
import Kernel
import Model
import ProxyLink
import Telemetry

extension Worker {
    /// Does what the link asks.
    mutating func apply(_ command: Command) {
        switch command {
        case .configuration(let configuration): apply(configuration)
        case .listener(let id, let slot, let direction, let descriptor):
            listen(id, slot: slot, direction, descriptor)
        case .sockets(let id, let ipv6, let sockets):
            guard let pod = pods[id] else { return sockets.forEach { close($0) } }
            stock(pod, ipv6: ipv6, sockets)
        case .forgetSocketRequests:
            for pod in pods.values {
                pod.pointee.stock.forgetRequests()
                pod.pointee.stockV6.forgetRequests()
                // Whoever waits must ask the new agent.
                stock(pod, ipv6: false, [])
                stock(pod, ipv6: true, [])
            }
            series.reportAllLive()
        case .withdraw(let id): withdraw(id)
        case .tapStart(let tap): startTap(tap)
        case .tapStop(let id): stopTap(id)
        case .collect(let sequence): collect(sequence: sequence)
        case .adopt(let descriptor, let id, let direction, let client):
            guard let pod = pods[id] else {
                Socket.resetOnClose(descriptor)
                close(descriptor)
                return
            }
            admit(descriptor, pod, direction, client)
        case .drain(let deadline): drain(deadline: deadline)
        }
    }

    private mutating func apply(_ configuration: Configuration) {
        self.configuration = configuration
        for settings in configuration.state.pods {
            let id = settings.workload.id
            if let pod = pods[id] {
                pod.pointee.settings = settings
            } else if let shared = configuration.shared[id] {
                let pod = PodRef.allocate(capacity: 1)
                pod.initialize(to: Pod(id: id, shared: shared, settings: settings))
                pods[id] = pod
            }
        }
        refreshTargets()
        outbox.put(.applied(version: configuration.version))
    }

    mutating func refreshTargets() {
        guard let configuration else { return }
        for target in targets.values { target.pointee.update(configuration.table, pods: pods) }
    }

    private mutating func listen(_ id: StableID, slot: UInt32, _ direction: Direction, _ descriptor: CInt) {
        guard let pod = pods[id], !isDraining else {
            close(descriptor)
            return
        }
        pod.pointee.slot = slot
        let listener = connections.take()
        listener.initialize(to: Connection(.listener, .open, descriptor: descriptor))
        listener.pointee.pod = pod
        listener.pointee.isInbound = direction == .inbound
        do throws(SystemError) {
            try watch(listener)
        } catch {
            count(.acceptExhausted)
            return closeConnection(listener)
        }
        if direction == .inbound {
            closeListener(&pod.pointee.listeners.inbound)
            pod.pointee.listeners.inbound = listener
        } else {
            closeListener(&pod.pointee.listeners.outbound)
            pod.pointee.listeners.outbound = listener
        }
    }
}
