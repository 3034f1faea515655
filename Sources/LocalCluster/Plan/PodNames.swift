// SPDX-License-Identifier: Apache-2.0

import Model

/// Names as Kubernetes' controllers make them, but from hashes instead of chance: one manifest, always the same pods.
struct PodNames {
    private let workload: Manifest.WorkloadObject
    /// Kubernetes leaves out vowels and look-alikes.
    private static let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")

    init(_ workload: Manifest.WorkloadObject) { self.workload = workload }

    /// The name of replica number `replica`, from 0.
    func name(_ replica: Int) -> String {
        let identity = "\(workload.namespace)/\(workload.name)"
        switch workload.kind {
        case .pod: return workload.name
        case .statefulSet: return "\(workload.name)-\(replica)"
        case .daemonSet: return "\(workload.name)-\(PodNames.letters(5, of: "\(identity)/\(replica)"))"
        case .deployment:
            let containers = workload.template.containers.map { "\($0.image) \($0.command) \($0.arguments)" }
            let revision = PodNames.letters(10, of: "\(identity) \(containers)")
            return "\(workload.name)-\(revision)-\(PodNames.letters(5, of: "\(identity)/\(replica)"))"
        }
    }

    /// A uid in the shape of Kubernetes' (RFC 9562 §5.8: version 8, what the bits mean is ours).
    static func uid(namespace: String, name: String) -> String {
        let high = mix(StableID(of: "uid \(namespace)/\(name)").rawValue)
        let low = mix(StableID(of: "\(name) in \(namespace)").rawValue)
        let digits = Array(hex(high) + hex(low))
        func part(_ range: Range<Int>) -> String { String(digits[range]) }
        return "\(part(0..<8))-\(part(8..<12))-8\(part(13..<16))-a\(part(17..<20))-\(part(20..<32))"
    }

    private static func letters(_ count: Int, of text: String) -> String {
        var value = mix(StableID(of: text).rawValue)
        var result = ""
        for _ in 0..<count {
            result.append(alphabet[Int(value % UInt64(alphabet.count))])
            value /= UInt64(alphabet.count)
        }
        return result
    }

    private static func hex(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    /// FNV leaves names that differ in the last letter looking alike; this finalizer (splitmix64's) spreads them.
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
