// SPDX-License-Identifier: Apache-2.0

/// The version that all programs of one build share.
package enum ApusVersion {
    /// Semantic version (semver.org).
    package static let current = "0.1.0"
}
