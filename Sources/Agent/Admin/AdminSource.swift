// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// What ``AdminServer`` shows.
package protocol AdminSource: Sendable {
    /// What is missing before the node can be called ready; nothing if it is.
    func obstacles() async -> [String]
    /// The metrics page.
    func metrics() async -> [UInt8]
    func status() async -> StatusReport
    /// What happened in the last `window` seconds.
    func stat(window: Double) async -> StatReport
}
