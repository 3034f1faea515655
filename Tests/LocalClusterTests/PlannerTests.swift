// SPDX-License-Identifier: Apache-2.0

import LocalCluster
import Testing

@Suite("Planning a cluster")
struct PlannerTests {
    private static let text = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop, annotations: {linkerd.io/inject: enabled, config.linkerd.io/opaque-ports: "9000-9002"}}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, namespace: shop}
        spec:
          replicas: 3
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web, tier: front}}
            spec:
              serviceAccountName: web
              containers:
                - {name: web, image: web, command: [web], ports: [{name: http, containerPort: 8080}]}
        ---
        apiVersion: apps/v1
        kind: StatefulSet
        metadata: {name: db, namespace: shop}
        spec:
          replicas: 2
          selector: {matchLabels: {app: db}}
          template:
            metadata:
              labels: {app: db}
              annotations: {apus.io/inject: disabled, apus.io/skip-inbound-ports: "22, 5000-5010"}
            spec: {containers: [{name: db, image: db, command: [db]}]}
        ---
        apiVersion: apps/v1
        kind: DaemonSet
        metadata: {name: log, namespace: shop}
        spec:
          selector: {matchLabels: {app: log}}
          template:
            metadata: {labels: {app: log}}
            spec: {containers: [{name: log, image: log, command: [log]}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: shop}
        spec: {selector: {app: web, tier: front}, ports: [{name: http, port: 80, targetPort: http}, {name: raw, port: 9001}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: db, namespace: shop}
        spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: fixed, namespace: shop}
        spec: {clusterIP: 10.96.0.10, selector: {app: web}, ports: [{port: 80, targetPort: nothing-has-this}]}
        """

    static func plan(_ text: String = text, nodes: Int = 2, mesh: Bool = true) throws -> ClusterPlan {
        let manifest = try ManifestReader.read([(name: "app.yml", text: text)])
        return try Planner.plan(manifest, nodes: nodes, images: ImageMap(programDirectory: "/opt/apus"), mesh: mesh)
    }

    @Test("pods are spread over the nodes, each with an address of its node")
    func spread() throws {
        let plan = try Self.plan()
        #expect(plan.pods.map(\.node) == ["node-1", "node-2", "node-1", "node-2", "node-1", "node-1", "node-2"])
        #expect(
            plan.pods.map(\.address) == [
                "10.244.1.2", "10.244.2.2", "10.244.1.3", "10.244.2.3", "10.244.1.4", "10.244.1.5", "10.244.2.4",
            ])
        #expect(Set(plan.pods.map(\.name)).count == plan.pods.count)
        #expect(Set(plan.pods.map(\.uid)).count == plan.pods.count)
        #expect(plan.pods[3].name == "db-0" && plan.pods[4].name == "db-1")
        #expect(plan.pods[0].name.wholeMatch(of: /web-[a-z0-9]{10}-[a-z0-9]{5}/) != nil)
        #expect(
            plan.pods[0].uid.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}/) != nil)
    }

    @Test("the same manifest gives the same plan")
    func deterministic() throws {
        #expect(try Self.plan() == Self.plan())
    }

    @Test("annotations: the pod's win over its namespace's")
    func annotations() throws {
        let plan = try Self.plan()
        let web = try #require(plan.pods.first { $0.owner == "web" })
        let database = try #require(plan.pods.first { $0.owner == "db" })
        #expect(web.meshed && web.opaquePorts == ["9000-9002"] && web.skipInboundPorts.isEmpty)
        #expect(!database.meshed && database.skipInboundPorts == ["22", "5000-5010"])
        #expect(try Self.plan(mesh: false).pods.allSatisfy { !$0.meshed })
    }

    @Test("services select by all labels, resolve named ports, and never take a fixed address of another")
    func services() throws {
        let plan = try Self.plan()
        let web = try #require(plan.services.first { $0.name == "web" })
        #expect(web.address == "10.96.0.11")
        #expect(web.ports[0].targets.map(\.port) == [8080, 8080, 8080])
        #expect(!web.ports[0].opaque && web.ports[1].opaque)
        #expect(plan.services.first { $0.name == "db" }?.address == nil)
        #expect(plan.services.first { $0.name == "fixed" }?.ports[0].targets.isEmpty == true)
    }

    @Test("a declared port is probed by connecting; a container without one is ready at once")
    func probes() throws {
        let plan = try Self.plan()
        #expect(plan.pods.first { $0.owner == "web" }?.containers[0].probe?.port == 8080)
        #expect(plan.pods.first { $0.owner == "db" }?.containers[0].probe == nil)
    }

    @Test(
        "images: mapped ones are programs, others need a command",
        arguments: ["apus-emojivoto", "ghcr.io/a/apus-emojivoto:v1@sha256:0"])
    func images(_ image: String) throws {
        let plan = try Self.plan(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: \"\(image)\", args: [web]}]}"
        )
        #expect(plan.pods[0].containers[0].arguments == ["/opt/apus/emojivoto", "web"])
        #expect(plan.notices.isEmpty)
    }

    @Test(
        "what cannot be planned is refused with its place",
        arguments: [
            ("metadata: {name: p}\nspec: {containers: [{name: c, image: nginx}]}", "nothing stands for image nginx"),
            (
                "metadata: {name: p, namespace: x}\nspec: {containers: [{name: c, image: i, command: [c]}]}",
                "namespace x"
            ),
            (
                "metadata: {name: p}\nspec: {nodeName: node-9, containers: [{name: c, image: i, command: [c]}]}",
                "node-9"
            ),
            (
                "metadata: {name: p, annotations: {apus.io/inject: maybe}}\nspec: {containers: [{name: c, image: i, command: [c]}]}",
                "write enabled or disabled"
            ),
            (
                "metadata: {name: p, annotations: {apus.io/opaque-ports: \"0\"}}\nspec: {containers: [{name: c, image: i, command: [c]}]}",
                "which is no port"
            ),
        ])
    func refused(_ text: String, _ reason: String) {
        let error = #expect(throws: ManifestError.self) { try Self.plan("apiVersion: v1\nkind: Pod\n" + text) }
        #expect(error?.description.contains(reason) == true, "\(error.map { $0.description } ?? "")")
        #expect(error?.line ?? 0 > 0)
    }

    @Test("two services with one address are refused")
    func sameAddress() {
        let service = { (name: String) in
            "apiVersion: v1\nkind: Service\nmetadata: {name: \(name)}\nspec: {clusterIP: 10.96.0.9, selector: {a: b}, ports: [{port: 1}]}\n"
        }
        #expect(throws: ManifestError.self) { try Self.plan(service("a") + "---\n" + service("b")) }
    }
}
