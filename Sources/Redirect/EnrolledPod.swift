// SPDX-License-Identifier: Apache-2.0

import Addresses
import CApusABI
import Kernel

/// A descriptor that a dictionary can hold.
final class SharedDescriptor {
    let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

/// What this process knows of a pod that has a slot.
final class EnrolledPod {
    let uid: String
    let slot: UInt32
    let cookie: UInt64
    var networkNamespacePath: String
    /// Open from enrolment to withdrawal, as the listeners keep the namespace alive anyway; `nil` while only pinned state
    /// speaks of the pod.
    var namespace: NetworkNamespace?
    var listeners: [CaptureDirection: SharedDescriptor] = [:]
    var ipv6 = false
    /// Whether this process's version of the lookup program is attached: loading one takes a millisecond.
    var hasLookup = false

    init(uid: String, slot: UInt32, cookie: UInt64, networkNamespacePath: String) {
        self.uid = uid
        self.slot = slot
        self.cookie = cookie
        self.networkNamespacePath = networkNamespacePath
    }
}

extension PodRedirect {
    /// What the kernel's tables cannot hold is refused before anything is touched.
    func validate() throws(RedirectError) {
        guard !uid.isEmpty, uid.utf8.count < Int(APUS_UID_SIZE) else {
            throw .invalidPod("a uid must have 1 to \(APUS_UID_SIZE - 1) bytes")
        }
        guard networkNamespacePath.utf8.count < Int(APUS_PATH_SIZE) else {
            throw .invalidPod("the path of its network namespace is longer than \(APUS_PATH_SIZE - 1) bytes")
        }
        guard (1...16).contains(addresses.count) else {
            throw .invalidPod("it has \(addresses.count) addresses; 1 to 16 are possible")
        }
        if let bad = addresses.first(where: { $0.isLoopback || $0 == .anyV4 || $0 == .anyV6 }) {
            throw .invalidPod("\(bad) is not an address of a pod")
        }
    }

    /// Everything but whether connections are captured yet.
    var flags: UInt32 {
        var flags = UInt32(APUS_ENROLLED)
        if failOpen { flags |= UInt32(APUS_FAIL_OPEN) }
        if !addresses.contains(where: \.isV4) { flags |= UInt32(APUS_NO_IPV4) }
        if addresses.allSatisfy(\.isV4) { flags |= UInt32(APUS_NO_IPV6) }
        return flags
    }
}

extension MarkedDelivery {
    /// Ours, in a pod's namespace.
    static let capture = MarkedDelivery(
        mark: UInt32(APUS_MARK_CAPTURE), mask: UInt32(APUS_MARK_MASK), table: UInt32(APUS_ROUTE_TABLE),
        priority: UInt32(APUS_RULE_PRIORITY))
}
