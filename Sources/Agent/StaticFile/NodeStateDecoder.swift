// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import Yams

/// Reads the document of a ``StaticFile`` and checks that its parts agree with each other.
struct NodeStateDecoder {
    private let mistakes: MistakeList
    private var uids: [String: Int] = [:]
    private var serviceNames: Set<String> = []
    private var virtualPorts: [SocketAddress: String] = [:]
    private var namespaces: [String: String] = [:]
    /// Who has an address; a pod of this node shares its address with nobody.
    private var podAddresses: [IPAddress: String] = [:]

    init(_ mistakes: MistakeList) { self.mistakes = mistakes }

    mutating func decode(_ root: Node) -> NodeState? {
        guard
            let file = YAMLSection(
                root, "the file", keys: ["apiVersion", "kind", "node", "meshed", "pods", "workloads", "services"],
                mistakes)
        else { return nil }
        expect(file, "apiVersion", "apus.io/v1alpha1")
        expect(file, "kind", "NodeState")
        let node = file.name("node", required: true)
        let meshed = file.list("meshed", of: "a range of addresses", required: true) { IPPrefix($0) } ?? []
        // Pods first: workloads and services are checked against their addresses.
        let pods = (file.list("pods") ?? []).compactMap { decodePod($0, node: node ?? "") }
        let workloads = (file.list("workloads") ?? []).compactMap { decodeWorkload($0) }
        let services = (file.list("services") ?? []).compactMap { decodeService($0) }
        guard let node else { return nil }
        return NodeState(
            node: node, meshedRanges: meshed.map(\.value), pods: pods, workloads: workloads, services: services)
    }

    private func expect(_ section: YAMLSection, _ key: String, _ wanted: String) {
        guard let text = section.text(key, required: true), text != wanted, let node = section.value(key) else {
            return
        }
        mistakes.add("\"\(key)\" must be \(wanted), not \(text)", at: node)
    }

    // MARK: Pods and workloads

    private mutating func decodePod(_ node: Node, node nodeName: String) -> LocalPod? {
        guard
            let section = YAMLSection(
                node, "pod",
                keys: [
                    "uid", "namespace", "name", "owner", "serviceAccount", "netns", "addresses", "opaquePorts",
                    "skipInboundPorts", "skipOutboundPorts", "policy", "failOpen", "connectionLimit",
                ], mistakes)
        else { return nil }
        var workload = decodeIdentity(section)
        let path = section.text("netns", required: true)
        if let path, let value = section.value("netns") {
            if !path.hasPrefix("/") { mistakes.add("\"netns\" of pod must be an absolute path", at: value) }
            if let other = namespaces.updateValue(workload?.name ?? "?", forKey: path) {
                mistakes.add("\(path) is already the network namespace of pod \(other)", at: value)
            }
        }
        let addresses = decodeAddresses(section, required: true)
        for (entry, address) in addresses {
            if let other = podAddresses.updateValue(workload?.name ?? "?", forKey: address) {
                mistakes.add("\(address) is already an address of pod \(other)", at: entry)
            }
        }
        workload?.addresses = addresses.map(\.value)
        workload?.node = nodeName
        let opaque = decodePorts(section, "opaquePorts") ?? .wellKnownOpaque
        let inbound = decodePorts(section, "skipInboundPorts") ?? .init()
        let outbound = decodePorts(section, "skipOutboundPorts") ?? .init()
        let policy = decodePolicy(section)
        let failOpen = section.flag("failOpen") ?? false
        let limit = section.number("connectionLimit", in: 1...1_000_000) ?? LocalPod.defaultConnectionLimit
        guard let workload, let path else { return nil }
        return LocalPod(
            workload: workload, networkNamespacePath: path, opaquePorts: opaque, skipInboundPorts: inbound,
            skipOutboundPorts: outbound, policy: policy, failOpen: failOpen, connectionLimit: limit)
    }

    private mutating func decodeWorkload(_ node: Node) -> Workload? {
        guard
            let section = YAMLSection(
                node, "workload",
                keys: ["uid", "namespace", "name", "owner", "serviceAccount", "node", "addresses", "meshed"], mistakes)
        else { return nil }
        var workload = decodeIdentity(section)
        let addresses = decodeAddresses(section, required: false)
        for (entry, address) in addresses {
            // Two workloads may share one: pods in their host's namespace do.
            if let other = podAddresses[address] {
                mistakes.add("\(address) is already an address of pod \(other)", at: entry)
            }
        }
        workload?.addresses = addresses.map(\.value)
        workload?.node = section.name("node") ?? ""
        workload?.meshed = section.flag("meshed") ?? false
        return workload
    }

    private mutating func decodeIdentity(_ section: YAMLSection) -> Workload? {
        let uid = section.text("uid", required: true)
        let namespace = section.name("namespace", required: true)
        let name = section.name("name", required: true)
        let account = section.name("serviceAccount") ?? "default"
        if let uid, let node = section.value("uid") {
            let line = node.mark?.line ?? 0
            if let first = uids.updateValue(line, forKey: uid) {
                mistakes.add("uid \(uid) is already used in line \(first)", at: node)
            }
        }
        var owner = Workload.Owner.none
        if let value = section.value("owner"),
            let part = YAMLSection(value, "owner", keys: ["kind", "name"], mistakes)
        {
            let name = part.name("name", required: true)
            if let text = part.text("kind", required: true), let node = part.value("kind") {
                if let kind = Workload.Owner.Kind(rawValue: text), kind != .none {
                    owner = .init(kind, name ?? "")
                } else {
                    let known = Workload.Owner.Kind.allCases.map(\.rawValue).filter { !$0.isEmpty }
                    mistakes.add("\(text) is not a kind of owner; known are \(known.joined(separator: ", "))", at: node)
                }
            }
        }
        guard let uid, let namespace, let name else { return nil }
        return Workload(uid: uid, namespace: namespace, name: name, owner: owner, serviceAccount: account)
    }

    // MARK: Services

    private mutating func decodeService(_ node: Node) -> Service? {
        guard let section = YAMLSection(node, "service", keys: ["namespace", "name", "addresses", "ports"], mistakes)
        else { return nil }
        let namespace = section.name("namespace", required: true)
        let name = section.name("name", required: true)
        let title = "\(namespace ?? "?")/\(name ?? "?")"
        if namespace != nil, name != nil, !serviceNames.insert(title).inserted {
            mistakes.add("service \(title) is given twice", at: section.value("name") ?? node)
        }
        let addresses = decodeAddresses(section, required: false)
        for (entry, address) in addresses {
            if let pod = podAddresses[address] {
                mistakes.add("\(address) of service \(title) is already an address of pod \(pod)", at: entry)
            }
        }
        var ports: [Service.Port] = []
        var numbers: Set<UInt16> = []
        for entry in section.list("ports", required: true) ?? [] {
            guard let port = decodePort(entry) else { continue }
            if !numbers.insert(port.port).inserted {
                mistakes.add("port \(port.port) of service \(title) is given twice", at: entry)
                continue
            }
            for (_, address) in addresses {
                let virtual = SocketAddress(address, port.port)
                if let other = virtualPorts.updateValue(title, forKey: virtual) {
                    mistakes.add("\(virtual) of service \(title) already belongs to service \(other)", at: entry)
                }
            }
            ports.append(port)
        }
        guard let namespace, let name else { return nil }
        return Service(namespace: namespace, name: name, addresses: addresses.map(\.value), ports: ports)
    }

    private func decodePort(_ node: Node) -> Service.Port? {
        guard let section = YAMLSection(node, "port", keys: ["name", "port", "opaque", "endpoints"], mistakes) else {
            return nil
        }
        let name = section.name("name") ?? ""
        let number = section.number("port", in: 1...65_535, required: true)
        let opaque = section.flag("opaque") ?? false
        let endpoints = (section.list("endpoints") ?? []).compactMap { decodeEndpoint($0) }
        guard let number else { return nil }
        return Service.Port(name: name, port: UInt16(number), opaque: opaque, endpoints: endpoints)
    }

    private func decodeEndpoint(_ node: Node) -> Endpoint? {
        guard let section = YAMLSection(node, "endpoint", keys: ["address", "ready"], mistakes) else { return nil }
        let ready = section.flag("ready") ?? true
        guard let text = section.text("address", required: true), let value = section.value("address") else {
            return nil
        }
        guard let address = SocketAddress(text), address.port != 0, NodeStateDecoder.isUsable(address.ip) else {
            mistakes.add("\"\(text)\" is not an address with a port, such as 10.244.1.5:8080", at: value)
            return nil
        }
        return Endpoint(address, ready: ready)
    }

    // MARK: Parts

    private func decodeAddresses(_ section: YAMLSection, required: Bool) -> [(node: Node, value: IPAddress)] {
        let addresses =
            section.list(
                "addresses", of: "an address that a pod or service can have", required: required,
                atMost: StaticFile.maximumAddresses
            ) { text in
                IPAddress(text).flatMap { NodeStateDecoder.isUsable($0) ? $0 : nil }
            } ?? []
        if required, addresses.isEmpty, let value = section.value("addresses"), value.sequence?.isEmpty == true {
            mistakes.add("\(section.subject) needs at least one address", at: value)
        }
        return addresses
    }

    /// Not "any", not loopback, not multicast.
    private static func isUsable(_ ip: IPAddress) -> Bool {
        if ip == .anyV4 || ip == .anyV6 || ip.isLoopback { return false }
        if let v4 = ip.v4 { return v4 >> 28 < 0xe }
        return ip.high >> 56 != 0xff
    }

    private func decodePorts(_ section: YAMLSection, _ key: String) -> PortSet? {
        section.list(key, of: "a port or a range of ports, such as 4000-4010") { PortSet.range($0) }
            .map { PortSet($0.map(\.value)) }
    }

    private func decodePolicy(_ section: YAMLSection) -> InboundPolicy {
        guard let text = section.text("policy"), let node = section.value("policy") else { return .allUnauthenticated }
        if let policy = InboundPolicy(rawValue: text) { return policy }
        let known = InboundPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        mistakes.add("\(text) is not a policy; known are \(known)", at: node)
        return .deny
    }
}
