// SPDX-License-Identifier: Apache-2.0

import Model

/// Turns a ``Manifest`` into a ``ClusterPlan``: which pods there are, where, and who answers for which service.
///
/// Pure and deterministic: the same manifests give the same names, uids and addresses.
package struct Planner {
    private let manifest: Manifest
    private let images: ImageMap
    private var plan = ClusterPlan()
    /// What was planned for each pod, by uid, for selectors and named ports.
    private var templates: [String: Manifest.PodTemplate] = [:]
    private var annotations: [String: [String: String]] = ["default": [:]]
    private var podsPerNode: [String: Int] = [:]

    private init(_ manifest: Manifest, images: ImageMap) {
        self.manifest = manifest
        self.images = images
    }

    /// - Parameter nodes: 1...9.
    package static func plan(
        _ manifest: Manifest, nodes: Int, images: ImageMap, mesh: Bool
    ) throws(ManifestError) -> ClusterPlan {
        precondition((1...9).contains(nodes), "node addresses end in 11...19")
        var planner = Planner(manifest, images: images)
        planner.plan.nodes = (1...nodes).map { ClusterPlan.Node(name: "node-\($0)", index: $0) }
        planner.plan.mesh = mesh
        planner.plan.notices = manifest.notices
        for namespace in manifest.namespaces { planner.annotations[namespace.name] = namespace.annotations }
        for workload in manifest.workloads { try planner.add(workload) }
        try planner.addServices()
        return planner.plan
    }

    // MARK: Pods

    private mutating func add(_ workload: Manifest.WorkloadObject) throws(ManifestError) {
        try checkNamespace(workload.namespace, workload.place)
        let names = PodNames(workload)
        if let fixed = workload.template.nodeName, !plan.nodes.contains(where: { $0.name == fixed }) {
            throw workload.template.place.error(
                "spec.nodeName is \(fixed)", hint: "there are \(plan.nodes.map(\.name).joined(separator: ", "))")
        }
        let count = workload.kind == .daemonSet ? plan.nodes.count : workload.kind == .pod ? 1 : workload.replicas
        for replica in 0..<count {
            let round = workload.kind == .daemonSet ? replica : plan.pods.count
            let node =
                plan.nodes.first { $0.name == workload.template.nodeName } ?? plan.nodes[round % plan.nodes.count]
            try addPod(of: workload, name: names.name(replica), on: node)
        }
    }

    private mutating func addPod(
        of workload: Manifest.WorkloadObject, name: String, on node: ClusterPlan.Node
    ) throws(ManifestError) {
        let template = workload.template
        let ordinal = podsPerNode[node.name, default: 0] + 1
        podsPerNode[node.name] = ordinal
        guard ordinal < 254 else {
            throw workload.place.error("\(node.name) has no address left for \(name)", hint: "use fewer replicas")
        }
        let mesh = MeshAnnotations([template.annotations, annotations[workload.namespace] ?? [:]], at: template.place)
        var containers: [ClusterPlan.Container] = []
        for container in template.containers { containers.append(try planContainer(container)) }
        let uid = PodNames.uid(namespace: workload.namespace, name: name)
        templates[uid] = template
        plan.pods.append(
            ClusterPlan.Pod(
                uid: uid, namespace: workload.namespace, name: name,
                ownerKind: workload.kind == .pod ? "" : workload.kind.rawValue,
                owner: workload.kind == .pod ? "" : workload.name, serviceAccount: template.serviceAccount,
                node: node.name, netns: "apus-n\(node.index)-\(workload.namespace)-\(name)",
                address: "\(AddressRanges.podPrefix).\(node.index).\(ordinal + 1)",
                hostname: template.hostname ?? name, meshed: try mesh.isInjected() && plan.mesh,
                opaquePorts: try mesh.ports("opaque-ports"),
                skipInboundPorts: try mesh.ports("skip-inbound-ports") ?? [],
                skipOutboundPorts: try mesh.ports("skip-outbound-ports") ?? [], policy: try mesh.policy(),
                gracePeriod: template.gracePeriod, containers: containers))
    }

    private func checkNamespace(_ name: String, _ place: ManifestLine) throws(ManifestError) {
        guard annotations[name] != nil else {
            throw place.error("namespace \(name) is not there", hint: "add a Namespace of that name to the manifests")
        }
    }

    // MARK: Containers

    private mutating func planContainer(
        _ container: Manifest.Container
    ) throws(ManifestError) -> ClusterPlan.Container {
        let program = images.path(for: container.image)
        var arguments = container.command
        if arguments.isEmpty {
            guard let program else {
                throw container.place.error(
                    "nothing stands for image \(container.image), and container \(container.name) has no command",
                    hint: "say --image \(ImageMap.shortName(container.image))=/path/to/program, or write a command")
            }
            arguments = [program]
        } else if program == nil {
            let notice =
                "\(container.place): nothing stands for image \(container.image): \(arguments[0]) is this machine's own"
            if !plan.notices.contains(notice) { plan.notices.append(notice) }
        }
        var path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        if let program {
            path = "\(program):\(program.prefix(upTo: program.lastIndex(of: "/") ?? program.startIndex)):\(path)"
        }
        return ClusterPlan.Container(
            name: container.name, arguments: arguments + container.arguments, searchPath: path,
            environment: container.environment, workingDirectory: container.workingDirectory,
            probe: try probe(container))
    }

    /// The manifest's probe, or else a connection to the first declared TCP port.
    private func probe(_ container: Manifest.Container) throws(ManifestError) -> ClusterPlan.Probe? {
        guard let readiness = container.readiness else {
            guard let port = container.ports.first(where: { $0.transport == .tcp }) else { return nil }
            return .init(port: port.port, path: nil, initialDelay: 0, period: 2, timeout: 1, failureThreshold: 3)
        }
        let port: UInt16
        switch readiness.port {
        case .number(let number): port = number
        case .name(let name):
            guard let found = container.ports.first(where: { $0.name == name }) else {
                throw container.place.error(
                    "readinessProbe names port \(name)", hint: "name a port of the container so")
            }
            port = found.port
        }
        return .init(
            port: port, path: readiness.path, initialDelay: readiness.initialDelay, period: readiness.period,
            timeout: readiness.timeout, failureThreshold: readiness.failureThreshold)
    }

    // MARK: Services

    private mutating func addServices() throws(ManifestError) {
        var addresses = ServiceAddresses()
        // Fixed addresses first: a service that takes any must not take one that a later document asks for.
        for service in manifest.services { try addresses.reserve(service) }
        for service in manifest.services {
            try checkNamespace(service.namespace, service.place)
            let members = plan.pods.filter { pod in
                pod.namespace == service.namespace && !service.selector.isEmpty
                    && service.selector.allSatisfy { templates[pod.uid]?.labels[$0.key] == $0.value }
            }
            let mesh = MeshAnnotations(
                [service.annotations, annotations[service.namespace] ?? [:]], at: service.place)
            let opaque = try mesh.ports("opaque-ports").map { PortSet($0.compactMap { PortSet.range($0) }) }
            plan.services.append(
                ClusterPlan.Service(
                    namespace: service.namespace, name: service.name, address: try addresses.address(for: service),
                    pods: members.map(\.uid),
                    ports: service.ports.map { port in
                        .init(
                            name: port.name, port: port.port, transport: port.transport,
                            opaque: (opaque ?? .wellKnownOpaque).contains(port.port),
                            targets: members.compactMap { target(of: port, in: $0) })
                    }))
        }
    }

    /// Where `pod` answers for a service's port; `nil` if it has no port of the name that is asked for.
    private func target(
        of port: Manifest.ServiceObject.Port, in pod: ClusterPlan.Pod
    ) -> ClusterPlan.Service.Target? {
        switch port.target {
        case .number(let number): return .init(pod: pod.uid, address: pod.address, port: number)
        case .name(let name):
            for container in templates[pod.uid]?.containers ?? [] {
                for candidate in container.ports where candidate.name == name && candidate.transport == port.transport {
                    return .init(pod: pod.uid, address: pod.address, port: candidate.port)
                }
            }
            return nil
        }
    }
}
