// SPDX-License-Identifier: Apache-2.0

/// Why the cluster could not be made, found or asked: one sentence for the person at the terminal.
package struct ClusterError: Error, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
