// SPDX-License-Identifier: Apache-2.0

/// Keys of log metadata: stable, because people search for them.
enum LogKey {
    static let namespace = "pod.namespace"
    static let pod = "pod.name"
    static let reason = "reason"
    static let proxyPID = "proxy.pid"
    static let error = "error"
}
