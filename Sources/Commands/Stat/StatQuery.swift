// SPDX-License-Identifier: Apache-2.0

/// What `stat` is asked.
struct StatQuery: Sendable {
    var resources: [Resource]
    /// `nil` for all.
    var namespace: String?
    var relation = Relation.none

    /// Whose side is measured, and against whom.
    enum Relation: Sendable {
        /// What the resources served: inbound.
        case none
        /// What they asked of somebody: outbound.
        case to(Resource, namespace: String?)
        /// What somebody asked of them, as that one saw it: outbound of the other.
        case from(Resource, namespace: String?)
    }
}
