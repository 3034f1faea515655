// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What a test needs of the machine. Use as `.enabled(if: TestRequirement.root, TestRequirement.rootReason)`.
package enum TestRequirement {
    /// True as root. Also true under `CI=true`, where such a test must fail rather than be skipped.
    package static var root: Bool { geteuid() == 0 || mustNotSkip }

    package static let rootReason =
        "SKIPPED: needs root, for network namespaces and BPF (run as root; CI=true makes this a failure)"

    /// For tests that find out on their way what is missing: whether they may skip themselves.
    package static var mustNotSkip: Bool {
        guard let value = getenv("CI") else { return false }
        return ["1", "true"].contains(String(cString: value))
    }
}
