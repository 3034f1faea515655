// SPDX-License-Identifier: Apache-2.0

/// One metric as Prometheus knows it: a name, a type and the labels that its series may carry.
package struct MetricFamily: Hashable, Sendable {
    package let name: String
    package let kind: Kind
    /// Every label that a series of the family may have; a series leaves out those it has no value for.
    package let labels: Set<String>
    package let help: String

    package init(_ name: String, _ kind: Kind, labels: [String] = [], _ help: String) {
        self.name = name
        self.kind = kind
        self.labels = Set(labels)
        self.help = help
    }

    /// The `# TYPE` of the text format 0.0.4.
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }
}
