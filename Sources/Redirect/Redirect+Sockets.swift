// SPDX-License-Identifier: Apache-2.0

import BPF
import CApusABI
import Kernel

extension Redirect {
    /// Makes sockets inside a pod's namespace for the proxy to bind and connect: non-blocking, close-on-exec, without
    /// Nagle's delay, and let through by the connect programs. The caller owns the descriptors.
    ///
    /// One entry into the namespace for all of them (8 us), then 1-2 us each.
    /// - Parameter ipv6: AF_INET6, which can connect to IPv4 in mapped form too.
    package func makeSockets(uid: String, ipv6: Bool, count: Int) throws(RedirectError) -> [CInt] {
        guard let entry = pods[uid], entry.namespace != nil else { throw .notEnrolled(uid: uid) }
        return try RedirectError.during("making sockets in pod \(uid)") {
            let tag = Tag(kind: .broker, slot: entry.slot).abi
            let made = try entry.inNamespace {
                try (0..<count).map { _ in try SharedDescriptor(PodSockets.makeUpstream(ipv6: ipv6)) }
            }
            for socket in made { try programs.maps.tags.update(socket.descriptor.rawValue, to: tag) }
            // Released by duplication: an array of owners cannot be consumed one by one.
            return try made.map { try $0.descriptor.duplicate().release() }
        }
    }

    /// What an agent wrote on the socket; `nil` for a stranger's, or none at all.
    package func tag(of descriptor: CInt) -> Tag? {
        guard let found = try? programs.maps.tags.value(of: descriptor) else { return nil }
        return Tag(found)
    }

    /// Takes listeners that an earlier agent made and the proxy has kept. They are recognised by their tags and used by
    /// the next ``enrol(_:)`` of their pod instead of new ones, so that no queued connection is lost.
    ///
    /// The descriptors stay the caller's: they are duplicated. Call before ``enrol(_:)``.
    /// - Returns: the tags of those that were taken.
    @discardableResult
    package func adopt(listeners: [CInt]) throws(RedirectError) -> [Tag] {
        try RedirectError.during("taking listeners back") {
            try listeners.compactMap { number in
                guard let tag = tag(of: number), tag.kind == .listener else { return nil }
                guard let pod = pods.values.first(where: { $0.slot == tag.slot }), pod.listeners[tag.direction] == nil
                else { return nil }
                let shared = try SharedDescriptor(PodSockets.duplicate(number))
                guard PodSockets.isListening(shared.descriptor) else { return nil }
                returned[tag] = shared
                return tag
            }
        }
    }
}
