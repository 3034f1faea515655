// SPDX-License-Identifier: Apache-2.0

import LocalCluster
import Testing

@Suite("Reading manifests")
struct ManifestReaderTests {
    private func read(_ text: String) throws -> Manifest { try ManifestReader.read([(name: "app.yml", text: text)]) }

    @Test("several documents, empty ones between them, become namespaces, workloads and services")
    func documents() throws {
        let manifest = try read(
            """
            ---
            apiVersion: v1
            kind: Namespace
            metadata: {name: shop, annotations: {apus.io/inject: enabled}}
            ---
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web, namespace: shop}
            spec:
              replicas: 3
              selector: {matchLabels: {app: web}}
              template:
                metadata: {labels: {app: web}}
                spec:
                  containers:
                    - name: web
                      image: web:v1
                      command: [web]
                      args: ["--port", "80"]
                      env: [{name: A, value: "1"}, {name: B}]
                      ports: [{name: http, containerPort: 80}]
                      readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 3}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: shop}
            spec: {selector: {app: web}, ports: [{port: 8080, targetPort: http}, {name: udp, port: 53, protocol: UDP}]}
            """)
        #expect(manifest.namespaces.map(\.name) == ["shop"])
        #expect(manifest.notices.isEmpty)
        let web = try #require(manifest.workloads.first)
        #expect(web.kind == .deployment && web.replicas == 3)
        let container = try #require(web.template.containers.first)
        #expect(container.arguments == ["--port", "80"])
        #expect(container.environment.map(\.value) == ["1", ""])
        #expect(container.readiness?.path == "/ready" && container.readiness?.port == .name("http"))
        let service = try #require(manifest.services.first)
        #expect(service.ports.map(\.target) == [.name("http"), .number(53)])
        #expect(service.ports.map(\.transport) == [.tcp, .udp])
    }

    @Test("a List is its items, a ServiceAccount is nothing, another kind is reported with its place")
    func ignored() throws {
        let manifest = try read(
            """
            apiVersion: v1
            kind: List
            items:
              - {apiVersion: v1, kind: ServiceAccount, metadata: {name: a}}
              - apiVersion: v1
                kind: ConfigMap
                metadata: {name: settings}
            """)
        #expect(manifest.notices == ["app.yml:5: ConfigMap settings is ignored: `apus local` has no such kind"])
    }

    @Test("services that cannot be given whole are reported; a headless one has no address")
    func services() throws {
        let manifest = try read(
            """
            apiVersion: v1
            kind: Service
            metadata: {name: a}
            spec: {type: LoadBalancer, selector: {app: a}, ports: [{port: 80}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: b}
            spec: {type: ExternalName, externalName: example.org}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: c}
            spec: {clusterIP: None, selector: {app: a}}
            """)
        #expect(manifest.services.map(\.name) == ["a", "c"])
        #expect(manifest.services.last?.address == Manifest.ServiceObject.Address.none)
        #expect(manifest.notices.count == 2)
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        let name: String
        let text: String
        let line: Int
        let reason: String
        var testDescription: String { name }
    }

    private static let podHead = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"

    static let bad: [Bad] = [
        Bad(name: "broken YAML", text: "kind: [Pod\n", line: 2, reason: "not YAML"),
        Bad(name: "a key twice", text: "kind: Pod\nkind: Pod\n", line: 1, reason: "the same key twice"),
        Bad(name: "no kind", text: "apiVersion: v1\n", line: 1, reason: "has no `kind`"),
        Bad(name: "no apiVersion", text: "kind: Pod\n", line: 1, reason: "has no `apiVersion`"),
        Bad(name: "not a mapping", text: "- a\n", line: 1, reason: "is a list, not a mapping"),
        Bad(
            name: "a bad name", text: "apiVersion: v1\nkind: Pod\nmetadata:\n  name: Web_1\n", line: 4,
            reason: "\"Web_1\""),
        Bad(name: "no spec", text: podHead, line: 1, reason: "has no `spec`"),
        Bad(name: "no containers", text: podHead + "spec: {}\n", line: 4, reason: "has no containers"),
        Bad(
            name: "a port that is too high",
            text: podHead
                + "spec:\n  containers:\n    - name: c\n      image: i\n      ports:\n        - containerPort: 70000\n",
            line: 9, reason: "\"70000\", not a whole number"),
        Bad(
            name: "a number where a text belongs",
            text: podHead
                + "spec:\n  containers:\n    - name: c\n      image: i\n      env:\n        - name: A\n          value: 5\n",
            line: 10, reason: "quote it: \"5\""),
        Bad(
            name: "replicas that are no number",
            text:
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: many\n  selector: {matchLabels: {a: b}}\n"
                + "  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}\n",
            line: 5, reason: "\"many\", not a whole number"),
        Bad(
            name: "a selector that does not select",
            text:
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {a: x}}\n"
                + "  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}\n",
            line: 5, reason: "wants a=x"),
        Bad(
            name: "a protocol nobody has",
            text:
                "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {a: b}, ports: [{port: 1, protocol: SCTP}]}\n",
            line: 4, reason: "protocol \"SCTP\""),
        Bad(
            name: "the same object twice",
            text: podHead + "spec: {containers: [{name: c, image: i}]}\n---\n" + podHead
                + "spec: {containers: [{name: c, image: i}]}\n",
            line: 6, reason: "is there already, from app.yml:1"),
    ]

    @Test("bad input is refused with file, line and reason", arguments: bad)
    func refused(_ bad: Bad) {
        let error = #expect(throws: ManifestError.self) { try read(bad.text) }
        #expect(error?.file == "app.yml")
        #expect(error?.line == bad.line)
        #expect(error?.description.contains(bad.reason) == true, "\(error.map { $0.description } ?? "")")
    }
}
