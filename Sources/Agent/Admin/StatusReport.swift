// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The answer to `GET /api/v1/status`.
package struct StatusReport: Codable, Sendable {
    package var node: String
    package var version: String
    package var ready: Bool
    /// What is missing for `ready`.
    package var obstacles: [String]
    package var kernel: [Feature]
    package var configuration: Configuration
    package var proxy: Proxy
    package var pods: [Pod]

    /// Something that the kernel has or lacks.
    package struct Feature: Codable, Sendable, Equatable {
        package var feature: String
        package var present: Bool
        package var required: Bool
        /// What its absence costs.
        package var cost: String
    }

    package struct Configuration: Codable, Sendable {
        package var path: String
        package var version: UInt64
        /// Why the file on disk is not used; absent if it is.
        package var error: String?
    }

    package struct Proxy: Codable, Sendable {
        /// Absent while there is none.
        package var pid: Int32?
        /// ISO 8601.
        package var startedAt: String?
        package var restarts: UInt64
        package var connected: Bool
    }

    package struct Pod: Codable, Sendable {
        package var uid: String
        package var namespace: String
        package var name: String
        package var enrolled: Bool
        /// Why it is not enrolled; empty if it is.
        package var reason: String
    }
}
