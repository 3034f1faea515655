// SPDX-License-Identifier: Apache-2.0

package import Addresses
import Glibc

/// A policy rule and the one route of its table: packets with `mark` are delivered to this namespace itself, whatever
/// their destination, and leave with `source` as their address.
package struct MarkedDelivery: Hashable, Sendable {
    /// Compared under ``mask``.
    package let mark: UInt32
    package let mask: UInt32
    package let table: UInt32
    /// The rule's place; lower comes first, the table of local addresses is 0.
    package let priority: UInt32

    package init(mark: UInt32, mask: UInt32, table: UInt32, priority: UInt32) {
        self.mark = mark
        self.mask = mask
        self.table = table
        self.priority = priority
    }
}

extension Netlink {
    /// Adds the rule and sets the route; both may be there already, from an earlier run or with another source.
    /// - Parameter source: one of the namespace's addresses, also says the family. Without it, a local route would take
    ///   the destination as the source.
    package mutating func deliver(_ delivery: MarkedDelivery, from source: IPAddress) throws(SystemError) {
        do throws(SystemError) {
            try perform(.rule(.add, delivery, isV4: source.isV4))
        } catch  where error.errno == EEXIST {}
        try perform(.localDefault(.add, delivery.table, isV4: source.isV4, source: source))
    }

    /// Removes every copy of the rule and every route of its table, in both families. Nothing there is fine.
    package mutating func stopDelivering(_ delivery: MarkedDelivery) throws(SystemError) {
        for isV4 in [true, false] {
            try removeAll { netlink throws(SystemError) in try netlink.perform(.rule(.remove, delivery, isV4: isV4)) }
            try removeAll { netlink throws(SystemError) in
                try netlink.perform(.localDefault(.remove, delivery.table, isV4: isV4, source: nil))
            }
        }
    }

    /// How many rules for the mark and routes of the table there are, both families together.
    package mutating func count(_ delivery: MarkedDelivery) throws(SystemError) -> (rules: Int, routes: Int) {
        var rules = 0
        var routes = 0
        for isV4 in [true, false] {
            try dump(.dump(.rules, isV4: isV4)) { _, payload in
                let mark = payload.attributes(from: 12).first { $0.type == 10 }?.value.number(at: 0, UInt32.self)
                if mark == delivery.mark { rules += 1 }
            }
            try dump(.dump(.routes, isV4: isV4)) { _, payload in
                let table = payload.attributes(from: 12).first { $0.type == 15 }?.value.number(at: 0, UInt32.self)
                if table == delivery.table { routes += 1 }
            }
        }
        return (rules, routes)
    }

    private mutating func removeAll(
        _ removeOne: (inout Netlink) throws(SystemError) -> Void
    ) throws(SystemError) {
        // Bounded: whoever adds them as fast as we remove them must not keep us here.
        for _ in 0..<64 {
            do throws(SystemError) {
                try removeOne(&self)
            } catch {
                switch error.errno {
                // None left; or the kernel has no IPv6, or this namespace has it switched off.
                case ENOENT, ESRCH, EAFNOSUPPORT, EOPNOTSUPP, ENODEV: return
                default: throw error
                }
            }
        }
    }
}

/// include/uapi/linux/fib_rules.h and rtnetlink.h: numbers as named in the comments.
extension NetlinkMessage {
    fileprivate enum Verb { case add, remove }
    fileprivate enum Subject { case rules, routes }

    private static func family(_ isV4: Bool) -> UInt8 { isV4 ? 2 : 10 }  // AF_INET, AF_INET6

    fileprivate static func rule(_ verb: Verb, _ delivery: MarkedDelivery, isV4: Bool) -> NetlinkMessage {
        var message = NetlinkMessage(
            type: verb == .add ? 32 : 33,  // RTM_NEWRULE, RTM_DELRULE
            flags: verb == .add ? [.acknowledge, .create, .exclusive] : .acknowledge)
        message.append(family(isV4))  // struct fib_rule_hdr
        for _ in 0..<6 { message.append(UInt8(0)) }
        message.append(UInt8(1))  // FR_ACT_TO_TBL
        message.append(UInt32(0))
        message.attribute(6, delivery.priority)  // FRA_PRIORITY
        message.attribute(10, delivery.mark)  // FRA_FWMARK
        message.attribute(16, delivery.mask)  // FRA_FWMASK
        message.attribute(15, delivery.table)  // FRA_TABLE
        return message
    }

    fileprivate static func localDefault(
        _ verb: Verb, _ table: UInt32, isV4: Bool, source: IPAddress?
    ) -> NetlinkMessage {
        var message = NetlinkMessage(
            type: verb == .add ? 24 : 25,  // RTM_NEWROUTE, RTM_DELROUTE
            flags: verb == .add ? [.acknowledge, .create, .replace] : .acknowledge)
        message.append(family(isV4))  // struct rtmsg; 0 bits of destination: everything
        for _ in 0..<4 { message.append(UInt8(0)) }  // lengths, tos, table (in an attribute: it exceeds 255)
        message.append(UInt8(verb == .add ? 4 : 0))  // RTPROT_STATIC
        message.append(UInt8(verb == .add ? 254 : 255))  // RT_SCOPE_HOST; when removing, RT_SCOPE_NOWHERE is any
        message.append(UInt8(2))  // RTN_LOCAL
        message.append(UInt32(0))
        message.attribute(15, table)  // RTA_TABLE
        if verb == .add { message.attribute(4, 1) }  // RTA_OIF: lo is 1 in every namespace
        if let source { message.attribute(7, source.networkBytes) }  // RTA_PREFSRC
        return message
    }

    fileprivate static func dump(_ subject: Subject, isV4: Bool) -> NetlinkMessage {
        var message = NetlinkMessage(type: subject == .rules ? 34 : 26, flags: .dump)  // RTM_GETRULE, RTM_GETROUTE
        message.append(family(isV4))
        for _ in 0..<11 { message.append(UInt8(0)) }
        return message
    }
}

extension IPAddress {
    /// 4 or 16 bytes in network order.
    fileprivate var networkBytes: [UInt8] {
        let all = [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) } }
        return isV4 ? Array(all[12...]) : all
    }
}
