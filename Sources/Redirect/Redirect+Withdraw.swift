// SPDX-License-Identifier: Apache-2.0

import BPF
import CApusABI
import Kernel

extension Redirect {
    /// Takes a pod out of the mesh. Nothing of it stays behind: no program, map entry, rule, route or descriptor of ours.
    /// A uid that is not enrolled is fine. Whoever was given the listeners must close its own.
    package func withdraw(uid: String) throws(RedirectError) {
        guard let entry = pods.removeValue(forKey: uid) else { return }
        try RedirectError.during("withdrawing pod \(uid)") {
            try programs.maps.pods.remove(entry.cookie)
            programs.detachLookup(slot: entry.slot)
            clearRoutes(of: entry)
            try programs.maps.clear(slot: entry.slot)
            // Last: while it is there, an agent that starts after a crash here goes on where we stopped.
            try programs.maps.slots.update(entry.slot, to: apus_slot())
        }
    }

    /// Withdraws every pod whose uid is not in `uids`, those that an earlier process enrolled included, and closes
    /// listeners that were handed back but belong to none of them.
    package func withdrawAllExcept(_ uids: Set<String>) throws(RedirectError) {
        var firstError: RedirectError?
        for uid in pods.keys.sorted() where !uids.contains(uid) {
            do { try withdraw(uid: uid) } catch { firstError = firstError ?? error }
        }
        returned = returned.filter { returned in pods.values.contains { $0.slot == returned.key.slot } }
        if let firstError { throw firstError }
    }

    /// The namespace may be gone, with all that was in it, and its name may be another's by now.
    private func clearRoutes(of entry: EnrolledPod) {
        do {
            if entry.namespace == nil {
                guard PseudoFile.exists(entry.networkNamespacePath) else { return }
                let namespace = try NetworkNamespace(path: entry.networkNamespacePath)
                guard try namespace.cookie() == entry.cookie else { return }
                entry.namespace = consume namespace
            }
            try entry.inNamespace {
                var netlink = try Netlink(.route)
                try netlink.stopDelivering(.capture)
            }
        } catch {
            options.log("pod \(entry.uid): its rule or route may have stayed: \(error)")
        }
    }
}
