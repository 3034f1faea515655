// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Which traffic to tap.
struct TapQuery: Sendable {
    var resource: Resource
    var namespace: String
    /// `inbound`, `outbound`, or both.
    var direction: String?
    var method: String?
    var authority: String?
    /// A prefix.
    var path: String?
    /// An address, or `namespace/name` of a pod or of what owns one.
    var peer: String?

    /// The query's part of the agent's address.
    func parameters(maxRPS: Int) -> String {
        var items: [(String, String?)] = [("namespace", resource.kind == .namespace ? resource.name : namespace)]
        switch resource.kind {
        case .namespace: break
        case .pod: items.append(("pod", resource.name))
        default: items += [("ownerKind", resource.kind.ownerKind), ("owner", resource.name)]
        }
        items += [
            ("direction", direction), ("method", method), ("authority", authority), ("path", path), ("peer", peer),
            ("maxRps", "\(maxRPS)"),
        ]
        return items.compactMap { name, value in value.map { "\(name)=\(TapQuery.encode($0))" } }.joined(separator: "&")
    }

    /// Everything but the unreserved characters (RFC 3986 §2.3): a path may hold `&`.
    private static func encode(_ text: String) -> String {
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
    }
}
