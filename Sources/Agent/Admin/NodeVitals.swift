// SPDX-License-Identifier: Apache-2.0

import Glibc
import Telemetry

/// What `/metrics` says beside the proxy's counters.
struct NodeVitals {
    var node: String
    var pods: [PodStatus]
    var decisions: [(reason: String, count: UInt64)]
    var proxyPID: Int32?
    var isProxyConnected: Bool
    var taps: Int
    var counts: AgentCounts

    /// The whole page: every family of the catalog once, in its order.
    func page(_ accounts: Accounts) -> [UInt8] {
        var page = Exposition()
        accounts.write(to: &page)
        writeNode(to: &page)
        accounts.writeInternals(to: &page)
        writeProcesses(to: &page)
        return page.bytes
    }

    private func writeNode(to page: inout Exposition) {
        page.begin(Catalog.redirect)
        for (reason, count) in decisions { page.sample(LabelSet([("reason", reason)]), count) }
        page.begin(Catalog.pods)
        let enrolled = pods.filter(\.isEnrolled).count
        page.sample(LabelSet([("state", "enrolled")]), enrolled)
        page.sample(LabelSet([("state", "failed")]), pods.count - enrolled)
        page.begin(Catalog.configurationErrors)
        page.sample(.none, counts.configurationErrors.value)
        page.begin(Catalog.configurationVersion)
        page.sample(.none, counts.configurationVersion.value)
        page.begin(Catalog.configurationBad)
        page.sample(.none, counts.configurationBad.value)
        page.begin(Catalog.socketsBrokered)
        page.sample(.none, counts.socketsBrokered.value)
        page.begin(Catalog.socketsRefused)
        page.sample(LabelSet([("reason", "fuse")]), counts.socketsRefusedFuse.value)
        page.sample(LabelSet([("reason", "unknown_pod")]), counts.socketsRefusedUnknownPod.value)
        page.sample(LabelSet([("reason", "error")]), counts.socketsRefusedError.value)
        page.begin(Catalog.proxyRestarts)
        page.sample(.none, counts.proxyRestarts.value)
        page.begin(Catalog.proxyUp)
        page.sample(.none, isProxyConnected ? 1 : 0)
        page.begin(Catalog.taps)
        page.sample(.none, taps)
        page.begin(Catalog.tapEvents)
        page.sample(LabelSet([("outcome", "sent")]), counts.tapEventsSent.value)
        page.sample(LabelSet([("outcome", "dropped")]), counts.tapEventsDropped.value)
    }

    private func writeProcesses(to page: inout Exposition) {
        let processes = [("agent", getpid()), ("proxy", proxyPID ?? 0)].compactMap { name, pid in
            pid > 0 ? ProcessFile.usage(pid).map { (LabelSet([("process", name)]), $0) } : nil
        }
        page.begin(Catalog.processTime)
        for (labels, usage) in processes { page.sample(labels, usage.processorSeconds) }
        page.begin(Catalog.processMemory)
        for (labels, usage) in processes { page.sample(labels, usage.residentBytes) }
        page.begin(Catalog.processDescriptors)
        for (labels, usage) in processes {
            if let descriptors = usage.descriptors { page.sample(labels, descriptors) }
        }
        page.begin(Catalog.processStart)
        for (labels, usage) in processes { page.sample(labels, usage.startTime) }
        page.begin(Catalog.build)
        page.sample(LabelSet([("version", ApusVersion.current), ("node", node)]), 1)
    }
}
