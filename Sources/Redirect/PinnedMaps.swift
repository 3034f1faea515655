// SPDX-License-Identifier: Apache-2.0

import BPF
import CApusABI
import Kernel

/// The maps that all programs share. They are pinned, so they are the same for the next agent.
struct PinnedMaps: ~Copyable {
    let meta: BPFMap<UInt32, apus_meta>
    let pods: BPFMap<UInt64, apus_pod>
    let slots: BPFMap<UInt32, apus_slot>
    let meshed: BPFMap<apus_range, UInt32>
    let addresses: BPFMap<apus_own_address, UInt32>
    let exempt: BPFMap<apus_exempt, UInt32>
    let listeners: BPFMap<UInt32, UInt64>
    let ports: BPFMap<apus_port, UInt32>
    let counted: BPFMap<UInt64, apus_port>
    let tags: BPFMap<CInt, apus_tag>
    let counters: BPFMap<UInt32, UInt64>

    // Each in its own owner first: a half-made structure of several owners cannot be undone.
    init(of object: borrowing BPFObject) throws(BPFError) {
        let meta = try object.map("meta", UInt32.self, apus_meta.self)
        let pods = try object.map("pods", UInt64.self, apus_pod.self)
        let slots = try object.map("slots", UInt32.self, apus_slot.self)
        let meshed = try object.map("meshed", apus_range.self, UInt32.self)
        let addresses = try object.map("addresses", apus_own_address.self, UInt32.self)
        let exempt = try object.map("exempt", apus_exempt.self, UInt32.self)
        let listeners = try object.map("listeners", UInt32.self, UInt64.self)
        let ports = try object.map("ports", apus_port.self, UInt32.self)
        let counted = try object.map("counted", UInt64.self, apus_port.self)
        let tags = try object.map("tags", CInt.self, apus_tag.self)
        let counters = try object.map("counters", UInt32.self, UInt64.self)
        self.meta = meta
        self.pods = pods
        self.slots = slots
        self.meshed = meshed
        self.addresses = addresses
        self.exempt = exempt
        self.listeners = listeners
        self.ports = ports
        self.counted = counted
        self.tags = tags
        self.counters = counters
    }

    /// Empties everything that belongs to a slot, except its entries in `slots` and `pods`.
    borrowing func clear(slot: UInt32) throws(BPFError) {
        for direction in CaptureDirection.allCases {
            try listeners.remove(listenerIndex(slot: slot, direction: direction, isV4: true))
            try listeners.remove(listenerIndex(slot: slot, direction: direction, isV4: false))
        }
        for key in try addresses.keys() where key.slot == slot { try addresses.remove(key) }
        for key in try exempt.keys() where key.slot == slot { try exempt.remove(key) }
        for key in try counted.keys() where try counted.value(of: key)?.slot == slot { try counted.remove(key) }
        for key in try ports.keys() where key.slot == slot { try ports.remove(key) }
    }
}

extension BPFMap where Value == UInt32 {
    /// Makes the keys that `mine` selects exactly `wanted`: adds first, so that nothing is missing in between.
    borrowing func reconcile(_ wanted: [Key], mine: (Key) -> Bool) throws(BPFError) {
        let images = Set(wanted.map(BPFMap.image))
        for key in wanted { try update(key, to: 1) }
        for key in try keys() where mine(key) && !images.contains(BPFMap.image(key)) { try remove(key) }
    }

    /// The key's bytes: imported C structures are not Hashable.
    private static func image(_ key: Key) -> [UInt8] { withUnsafeBytes(of: key) { Array($0) } }
}
