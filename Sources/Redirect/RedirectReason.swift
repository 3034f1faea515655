// SPDX-License-Identifier: Apache-2.0

/// Every decision of our programs. Raw values are metric labels: never rename one.
///
/// The order is that of `enum apus_reason`: the position is the number.
package enum RedirectReason: String, CaseIterable, Sendable {
    // connect
    case redirected
    case skippedNotTCP = "skipped_not_tcp"
    case skippedNotEnrolled = "skipped_not_enrolled"
    case skippedTagged = "skipped_tagged"
    case skippedLoopback = "skipped_loopback"
    case skippedSelf = "skipped_self"
    case skippedFamily = "skipped_family"
    case skippedRange = "skipped_range"
    case skippedPort = "skipped_port"
    case skippedFailOpen = "skipped_fail_open"
    case refusedNoListener = "refused_no_listener"
    case refusedNoMark = "refused_no_mark"
    case deviceCleared = "bindtodevice_cleared"
    case markCleared = "mark_cleared"
    // lookup
    case steeredOutbound = "outbound_redirected"
    case steeredInbound = "inbound_redirected"
    case inboundLoopback = "inbound_loopback"
    case hbone
    case inboundSelf = "inbound_self"
    case inboundExempt = "inbound_exempt"
    case inboundUnlisted = "inbound_unlisted"
    case inboundFailOpen = "inbound_fail_open"
    case droppedOwnPort = "inbound_own_port"
    case droppedNoListener = "inbound_no_listener"
    // sockops and sockopt
    case clientSet = "client_set"
    case clientHandedOver = "client_handed_over"
    case clientStale = "client_stale"
    case statisticsSent = "statistics_sent"
    case statisticsDropped = "statistics_dropped"
}
