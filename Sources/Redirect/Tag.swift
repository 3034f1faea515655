// SPDX-License-Identifier: Apache-2.0

import CApusABI

/// What the agent wrote on a socket, where its holder cannot reach it.
package struct Tag: Hashable, Sendable {
    /// What the socket is for. Raw values are those of `enum apus_kind`.
    package enum Kind: UInt32, Sendable {
        /// A listener, or a socket accepted from one.
        case listener = 1
        /// Made for the proxy to connect with.
        case broker = 2
    }

    package let kind: Kind
    package let slot: UInt32
    /// Meaningless for a brokered socket, which may serve either.
    package let direction: CaptureDirection

    package init(kind: Kind, slot: UInt32, direction: CaptureDirection = .inbound) {
        self.kind = kind
        self.slot = slot
        self.direction = direction
    }
}

extension Tag {
    init?(_ tag: apus_tag) {
        guard let kind = Kind(rawValue: tag.kind), let direction = CaptureDirection(rawValue: tag.direction) else {
            return nil
        }
        self.init(kind: kind, slot: tag.slot, direction: direction)
    }

    var abi: apus_tag { apus_tag(kind: kind.rawValue, slot: slot, direction: direction.rawValue, pad: 0) }
}
