// SPDX-License-Identifier: Apache-2.0

import LocalCluster
import Testing

@Suite("What a plan becomes: names, rules, state files")
struct RenderingTests {
    private func pod(_ plan: ClusterPlan, _ owner: String) throws -> ClusterPlan.Pod {
        try #require(plan.pods.first { $0.owner == owner })
    }

    @Test("a pod sees services of its namespace by their short names, and headless ones as their pods")
    func hosts() throws {
        let plan = try PlannerTests.plan()
        let text = HostsFile.text(for: try pod(plan, "web"), in: plan)
        let lines = text.split(separator: "\n")
        #expect(lines.contains("127.0.0.1\tlocalhost"))
        #expect(lines.contains("10.96.0.11\tweb.shop.svc.cluster.local web.shop.svc web.shop web"))
        #expect(lines.count { $0.contains("\tdb.shop.svc.cluster.local ") } == 2)
        #expect(lines.contains { $0.hasPrefix("10.244.2.3\tdb.") && $0.contains(" db-0.db.shop.svc ") })
    }

    @Test("a pod of another namespace needs the namespace in the name")
    func otherNamespace() throws {
        let plan = try PlannerTests.plan()
        var stranger = try pod(plan, "web")
        stranger.namespace = "elsewhere"
        let text = HostsFile.text(for: stranger, in: plan)
        #expect(text.contains("10.96.0.11\tweb.shop.svc.cluster.local web.shop.svc web.shop\n"))
    }

    @Test("rules choose among ready pods only, and a service without any is refused")
    func rules() throws {
        let plan = try PlannerTests.plan()
        let webs = plan.pods.filter { $0.owner == "web" }
        let node = plan.nodes[0]
        func rules(_ ready: [ClusterPlan.Pod]) -> [Substring] {
            ServiceRules.script(for: node, in: plan, ready: Set(ready.map(\.uid))).split(separator: "\n")
                .filter { $0.contains("10.96.0.11 tcp dport 80 ") }
        }
        #expect(rules([]).isEmpty)
        #expect(rules([webs[1]]) == ["    ip daddr 10.96.0.11 tcp dport 80 dnat to 10.244.2.2:8080"])
        #expect(
            rules(webs) == [
                "    ip daddr 10.96.0.11 tcp dport 80 dnat to numgen random mod 3 map { 0 : 10.244.1.2 . 8080, "
                    + "1 : 10.244.2.2 . 8080, 2 : 10.244.1.3 . 8080 }"
            ])
    }

    @Test("the state file has this node's meshed pods whole and everybody else by name")
    func stateFile() throws {
        let plan = try PlannerTests.plan()
        let web = try pod(plan, "web")
        let text = NodeStateFile.text(for: plan.nodes[0], in: plan, ready: [web.uid])
        let expected = """
              - uid: \(web.uid)
                namespace: "shop"
                name: "\(web.name)"
                owner: {kind: Deployment, name: "web"}
                serviceAccount: "web"
                netns: "/run/netns/apus-n1-shop-\(web.name)"
                addresses: ["10.244.1.2"]
                opaquePorts: ["9000-9002"]

            """
        #expect(text.contains(expected))
        #expect(
            text.contains(
                "name: \"db-1\", owner: {kind: StatefulSet, name: \"db\"}, node: node-1, addresses: [\"10.244.1.4\"], meshed: false}"
            ))
        #expect(
            text.contains(
                "{name: \"http\", port: 80, opaque: false, endpoints: [{address: \"10.244.1.2:8080\", ready: true}, "))
        #expect(text.contains("{address: \"10.244.2.2:8080\", ready: false}"))
    }
}
