// SPDX-License-Identifier: Apache-2.0

import Addresses
package import Model

extension NodeState {
    /// The state's bytes, for the memory file that goes with ``AgentMessage/configuration(version:)``.
    package func encoded() -> [UInt8] {
        var writer = MessageWriter(reserving: 4096)
        writer.write(node)
        writer.write(meshedRanges) { $0.write($1.description) }
        writer.write(pods) { writer, pod in
            writer.write(pod.workload)
            writer.write(pod.opaquePorts)
            writer.write(pod.skipOutboundPorts)
            writer.write(pod.policy.rawValue)
            writer.write(UInt32(clamping: pod.connectionLimit))
        }
        writer.write(workloads) { $0.write($1) }
        writer.write(services) { writer, service in
            writer.write(service.namespace)
            writer.write(service.name)
            writer.write(service.addresses) { $0.write($1) }
            writer.write(service.ports) { writer, port in
                writer.write(port.name)
                writer.write(port.port)
                writer.write(port.opaque)
                writer.write(port.endpoints) { writer, endpoint in
                    writer.write(endpoint.address)
                    writer.write(endpoint.ready)
                }
            }
        }
        return writer.bytes
    }

    /// Reads what ``encoded()`` wrote. What only the agent needs (namespace paths, inbound exemptions) does not travel.
    package init(decoding bytes: [UInt8]) throws(MalformedMessage) {
        var reader = MessageReader(bytes)
        self.init(node: try reader.readText())
        for _ in 0..<(try reader.readCount(elementSize: 2)) {
            guard let range = IPPrefix(try reader.readText()) else { throw reader.malformed("address range") }
            meshedRanges.append(range)
        }
        for _ in 0..<(try reader.readCount(elementSize: 16)) { pods.append(try reader.readPod()) }
        for _ in 0..<(try reader.readCount(elementSize: 16)) { workloads.append(try reader.readWorkload()) }
        for _ in 0..<(try reader.readCount(elementSize: 12)) { services.append(try reader.readService()) }
        try reader.requireEnd()
    }
}

extension MessageWriter {
    fileprivate mutating func write<Element>(
        _ elements: [Element], _ one: (inout MessageWriter, Element) -> Void
    ) {
        write(UInt32(elements.count))
        for element in elements { one(&self, element) }
    }

    fileprivate mutating func write(_ ports: PortSet) {
        write(ports.ranges) { writer, range in
            writer.write(range.lowerBound)
            writer.write(range.upperBound)
        }
    }

    fileprivate mutating func write(_ workload: Workload) {
        write(workload.uid)
        write(workload.namespace)
        write(workload.name)
        write(workload.owner.kind.rawValue)
        write(workload.owner.name)
        write(workload.serviceAccount)
        write(workload.node)
        write(workload.addresses) { $0.write($1) }
        write(workload.meshed)
    }
}

extension MessageReader {
    fileprivate mutating func readPorts() throws(MalformedMessage) -> PortSet {
        var ranges: [ClosedRange<UInt16>] = []
        for _ in 0..<(try readCount(elementSize: 4)) {
            let first: UInt16 = try read()
            let last: UInt16 = try read()
            guard first <= last else { throw malformed("port range") }
            ranges.append(first...last)
        }
        return PortSet(ranges)
    }

    fileprivate mutating func readWorkload() throws(MalformedMessage) -> Workload {
        var workload = Workload(uid: try readText(), namespace: try readText(), name: try readText())
        guard let kind = Workload.Owner.Kind(rawValue: try readText()) else { throw malformed("owner kind") }
        workload.owner = Workload.Owner(kind, try readText())
        workload.serviceAccount = try readText()
        workload.node = try readText()
        for _ in 0..<(try readCount(elementSize: 16)) { workload.addresses.append(try readIP()) }
        workload.meshed = try readBool()
        return workload
    }

    fileprivate mutating func readPod() throws(MalformedMessage) -> LocalPod {
        var pod = LocalPod(workload: try readWorkload(), networkNamespacePath: "")
        pod.opaquePorts = try readPorts()
        pod.skipOutboundPorts = try readPorts()
        guard let policy = InboundPolicy(rawValue: try readText()) else { throw malformed("policy") }
        pod.policy = policy
        pod.connectionLimit = Int(try read(UInt32.self))
        return pod
    }

    fileprivate mutating func readService() throws(MalformedMessage) -> Service {
        var service = Service(namespace: try readText(), name: try readText(), addresses: [], ports: [])
        for _ in 0..<(try readCount(elementSize: 16)) { service.addresses.append(try readIP()) }
        for _ in 0..<(try readCount(elementSize: 9)) {
            let name = try readText()
            let number: UInt16 = try read()
            var port = Service.Port(name: name, port: number, opaque: try readBool(), endpoints: [])
            for _ in 0..<(try readCount(elementSize: 19)) {
                let address = try readAddress()
                port.endpoints.append(Endpoint(address, ready: try readBool()))
            }
            service.ports.append(port)
        }
        return service
    }
}
