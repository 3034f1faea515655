// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Where a cluster keeps its files.
package struct StateDirectory: Hashable, Sendable {
    package let path: String

    /// The place that every command assumes unless told otherwise.
    package static let standard = StateDirectory(path: "/run/apus/local")

    package init(path: String) {
        self.path = URL(fileURLWithPath: path).standardizedFileURL.path
    }

    var plan: String { "\(path)/plan.json" }
    var status: String { "\(path)/status.json" }
    var settings: String { "\(path)/settings.json" }
    var cluster: String { "\(path)/cluster.json" }
    package var supervisorLog: String { "\(path)/supervisor.log" }

    func node(_ name: String) -> String { "\(path)/\(name)" }
    package func agentLog(_ node: String) -> String { "\(path)/\(node)/agent.log" }

    /// The log of a pod's container.
    package func log(_ pod: ClusterPlan.Pod, _ container: String) -> String {
        "\(path)/logs/\(pod.namespace)_\(pod.name)_\(container).log"
    }

    /// Makes it with room for a plan's nodes and logs.
    func create(for plan: ClusterPlan) throws(ClusterError) {
        do {
            for directory in ["logs"] + plan.nodes.map(\.name) {
                try FileManager.default.createDirectory(
                    atPath: "\(path)/\(directory)", withIntermediateDirectories: true)
            }
        } catch {
            throw ClusterError("cannot make \(path): \(error.localizedDescription)")
        }
    }

    /// Replaces a file in one step: readers see the old text or the new one.
    static func write(_ text: String, to path: String) throws(ClusterError) {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw ClusterError("cannot write \(path): \(error.localizedDescription)")
        }
    }

    static func write(_ value: some Encodable, to path: String) throws(ClusterError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            try write(String(decoding: encoder.encode(value), as: UTF8.self), to: path)
        } catch {
            throw error as? ClusterError ?? ClusterError("cannot encode \(path): \(error)")
        }
    }

    static func read<Value: Decodable>(_ type: Value.Type, from path: String) -> Value? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return try? JSONDecoder().decode(type, from: data)
    }
}
