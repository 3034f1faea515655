// SPDX-License-Identifier: Apache-2.0

import Addresses
import Agent
package import FuzzOracles
import Model

extension Oracle {
    /// The agent's configuration file: what is wrong is said with its line, and what is accepted keeps every promise
    /// that the rest of the agent builds on.
    package static let configuration = Oracle("configuration") { bytes throws(Violation) in
        // Bytes that are not UTF-8 are refused before they are parsed.
        guard let text = String(validating: bytes.array, as: UTF8.self) else { return }
        switch read(text) {
        case .failure(let error):
            try expectSound(error, lines: text.unicodeScalars.count { lineEnds.contains($0) } + 1)
        case .success(let state):
            try expectSound(state)
            let written = StateText.yaml(state)
            try require(read(written) == .success(state), "what was written is read as the same: \(written)")
        }
    }
}

/// What ends a line in YAML 1.1.
private let lineEnds = "\n\r\u{85}\u{2028}\u{2029}".unicodeScalars

private func read(_ text: String) -> Result<NodeState, StaticFileError> {
    Result { () throws(StaticFileError) in try StaticFile.parse(text, path: "state.yaml") }
}

private func expectSound(_ error: StaticFileError, lines: Int) throws(Violation) {
    try require(1...20 ~= error.mistakes.count, "there is a mistake, and not more than a person can read")
    for mistake in error.mistakes {
        let isWhole = mistake.reason == "the file is empty"
        try require(isWhole ? mistake.line == 0 : 1...(lines + 1) ~= mistake.line, "a mistake has its line: \(error)")
        try require(!mistake.reason.isEmpty, "a mistake has a reason")
        try require(mistake.reason.utf8.count <= 4_096, "a reason is short enough for a log")
        let isLine = mistake.reason.unicodeScalars.allSatisfy {
            $0.properties.generalCategory != .control && !lineEnds.contains($0)
        }
        try require(isLine, "a reason is one line: \(mistake.reason.debugDescription)")
    }
    try require(error.mistakes.map(\.line) == error.mistakes.map(\.line).sorted(), "mistakes come in order")
    try require(error.description.split(separator: "\n").count == error.mistakes.count, "a line for each mistake")
}

private func expectSound(_ state: NodeState) throws(Violation) {
    try expectName(state.node)
    let workloads = state.pods.map(\.workload) + state.workloads
    for workload in workloads {
        try expectText(workload.uid)
        for name in [workload.namespace, workload.name, workload.serviceAccount] { try expectName(name) }
        if workload.owner.kind == .none {
            try require(workload.owner == .none, "an owner has a kind")
        } else {
            try expectName(workload.owner.name)
        }
        try expectAddresses(workload.addresses)
    }
    try require(Set(workloads.map(\.uid)).count == workloads.count, "a uid is used once")
    let ofPods = state.pods.flatMap(\.workload.addresses)
    let ofOthers = Set(state.workloads.flatMap(\.addresses) + state.services.flatMap(\.addresses))
    try require(Set(ofPods).count == ofPods.count && ofOthers.isDisjoint(with: ofPods), "a pod shares no address")
    try require(Set(state.pods.map(\.networkNamespacePath)).count == state.pods.count, "a pod shares no namespace")
    for pod in state.pods {
        try require(!pod.workload.addresses.isEmpty && pod.workload.node == state.node, "a pod is somewhere")
        try require(pod.networkNamespacePath.utf8.first == 0x2f, "a namespace is an absolute path")
        try require(1...1_000_000 ~= pod.connectionLimit, "a limit is one")
        for ports in [pod.opaquePorts, pod.skipInboundPorts, pod.skipOutboundPorts] {
            try require(!ports.contains(0), "port 0 is none")
        }
    }
    var virtual: Set<SocketAddress> = []
    for service in state.services {
        try expectName(service.namespace)
        try expectName(service.name)
        try expectAddresses(service.addresses)
        for port in service.ports {
            try require(port.port != 0 && port.endpoints.allSatisfy { $0.address.port != 0 }, "port 0 is none")
            if !port.name.isEmpty { try expectName(port.name) }
            try expectAddresses(port.endpoints.prefix(16).map(\.address.ip))
            for address in service.addresses {
                let isNew = virtual.insert(SocketAddress(address, port.port)).inserted
                try require(isNew, "a virtual address and port belong to one service")
            }
        }
    }
}

private func expectText(_ text: String) throws(Violation) {
    try require(1...1024 ~= text.utf8.count, "a text has a length")
    try require(text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }, "a text has no blanks")
}

private func expectName(_ name: String) throws(Violation) {
    try expectText(name)
    try require(
        name.utf8.count <= 253 && !name.utf8.contains(0x2f),
        "a name is one of a Kubernetes object: \(name.debugDescription)")
}

private func expectAddresses(_ addresses: [IPAddress]) throws(Violation) {
    try require(addresses.count <= StaticFile.maximumAddresses, "there are no more addresses than their limit")
    for address in addresses {
        try require(address != .anyV4 && address != .anyV6 && !address.isLoopback, "\(address) can be reached")
        if let v4 = address.v4 {
            try require(v4 >> 24 < 224, "\(address) is not multicast")
        } else {
            try require(address.high >> 56 != 0xff, "\(address) is not multicast")
        }
    }
}
