// SPDX-License-Identifier: Apache-2.0

import Model

/// What others ask of the reconciler.
extension Reconciler {
    /// Every pod of the configuration and how it is.
    package func pods() -> [PodStatus] {
        (desired?.pods ?? []).map { pod in
            switch records[pod.workload.id]?.state {
            case .enrolled: .init(workload: pod.workload, isEnrolled: true, reason: nil)
            case .failed(let reason, _, _): .init(workload: pod.workload, isEnrolled: false, reason: reason)
            case nil: .init(workload: pod.workload, isEnrolled: false, reason: "not tried yet")
            }
        }
    }

    /// What is still missing for ``AdminServer``'s `/ready`; empty when all is well.
    package func obstacles() -> [String] {
        guard let desired else { return ["no configuration has been read"] }
        var result: [String] = []
        let untried = desired.pods.filter { records[$0.workload.id] == nil }.count
        if untried > 0 { result.append("\(untried) pods are still to be enrolled") }
        if link == nil {
            result.append("the proxy is not running")
        } else if appliedVersion != version {
            result.append(configurationRefused ?? "the proxy does not have the current configuration yet")
        }
        return result
    }

    /// The kernel programs' decisions, by reason.
    package func decisions() -> [(reason: String, count: UInt64)] {
        (try? interception?.decisions()) ?? []
    }
}
