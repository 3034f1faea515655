// SPDX-License-Identifier: Apache-2.0

package import Model

/// How the enrolment of one pod of the configuration went.
package struct PodStatus: Sendable, Equatable {
    package var workload: Workload
    package var isEnrolled: Bool
    /// Why it is not enrolled.
    package var reason: String?
}
