// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import LocalCluster
import Telemetry

/// `apus local demo`
struct LocalDemo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run the sample application and check what the mesh measures.",
        discussion: """
            Makes a cluster with the sample application, waits until a window of statistics is full, prints stat,
            compares it with what the application is known to do, prints some tap lines, and stays until Ctrl-C, which
            ends the cluster.

            EXAMPLES
              apus local demo           look at it, and then use stat and tap from another terminal
              apus local demo --once    end after the checks; the exit status says whether they passed
            """)

    @Flag(help: "End after the checks, with their result as the exit status.")
    var once = false

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("How long to watch before the checks, 10s to 10m.", valueName: "duration"))
    var timeWindow: Window = .oneMinute

    @OptionGroup var description: ClusterDescription
    @OptionGroup var state: StateOptions

    func validate() throws {
        guard !description.noMesh else {
            throw ValidationError("the demo is about the mesh: --no-mesh leaves nothing to see")
        }
        guard (10...600).contains(timeWindow.seconds) else { throw ValidationError("--time-window is 10s to 10m") }
    }

    func run() async throws {
        try ClusterControl.requireRoot()
        let stop = StopSignals()
        let plan = try description.plan([SampleManifest.find()])
        let control = state.control
        try control.prepare(plan, try description.settings())
        let result = await result(of: control, plan, stop)
        Terminal.shared.note("ending the cluster ...")
        do {
            _ = try await control.down()
        } catch {
            Terminal.shared.note("could not clean up: \(error); try apus local down")
        }
        guard try result.get() else { throw ExitCode.failure }
    }

    /// The demonstration, until it is over or somebody stops it.
    private func result(
        of control: ClusterControl, _ plan: ClusterPlan, _ stop: StopSignals
    ) async -> Result<Bool, any Error> {
        await withTaskGroup(of: Result<Bool, any Error>.self) { group in
            group.addTask {
                do {
                    return .success(try await show(control, plan))
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                // Ctrl-C is how a demonstration ends: that is no failure, unless the checks were still to come.
                _ = await stop.first()
                return .success(!once)
            }
            let first = await group.next() ?? .success(false)
            group.cancelAll()
            return first
        }
    }

    private func show(_ control: ClusterControl, _ plan: ClusterPlan) async throws -> Bool {
        let unready = try await ClusterStart(control, plan).run()
        guard unready.isEmpty else { throw CommandError("not every pod of the sample became ready") }
        guard let directory = control.directory else { throw CommandError("the cluster has no agents") }
        let agents = directory.nodes.compactMap { node in node.agent.map { Agent(address: $0) } }
        try await waitForTraffic(agents)
        try await countDown()

        var query = StatQuery(resources: [Resource(kind: .deployment)], namespace: "emojivoto")
        let reports = try await StatCommand.ask(agents, window: timeWindow.seconds)
        let summary = StatSummary(reports, query)
        Terminal.shared.print("\n$ apus stat deploy -n emojivoto\n\(StatTable(summary: summary).text)")
        query.relation = .from(Resource(kind: .deployment, name: "vote-watcher"), namespace: "emojivoto")
        let watched = StatSummary(reports, query)
        Terminal.shared.print(
            "$ apus stat deploy -n emojivoto --from deploy/vote-watcher\n\(StatTable(summary: watched).text)")
        let checks = DemoChecks(
            summary, watched: watched, rate: LocalDemo.setting("REQUEST_RATE", of: "vote-bot", in: plan),
            streams: LocalDemo.setting("STREAMS", of: "vote-watcher", in: plan)
        ).checks
        for check in checks { Terminal.shared.print(check.text) }
        try await showTap(agents)
        let passed = checks.allSatisfy(\.passes)
        if once { return passed }
        Terminal.shared.print(
            """

            The cluster goes on until Ctrl-C. From another terminal:
              apus stat deploy -n emojivoto
              apus tap deploy/web -n emojivoto
            """)
        try await Task.sleep(for: .seconds(10 * 365 * 86_400))
        return passed
    }

    private func waitForTraffic(_ agents: [Agent]) async throws {
        Terminal.shared.note("waiting for traffic ...")
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            // A young agent may refuse for a moment; only that it goes on is an error.
            if let reports = try? await StatCommand.ask(agents, window: 10),
                reports.contains(where: { $0.series.contains { $0.success > 0 } })
            {
                return
            }
            guard ContinuousClock.now < deadline else {
                throw CommandError("no request went through the mesh for 30 s: apus local logs agent/node-1")
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// Lets the first, uneven seconds (new connections, cold programs) pass out of the window too.
    private func countDown() async throws {
        for left in stride(from: timeWindow.seconds + 3, to: 0, by: -1) {
            Terminal.shared.transient("measuring: \(left) s to go")
            try await Task.sleep(for: .seconds(1))
        }
    }

    private func showTap(_ agents: [Agent]) async throws {
        Terminal.shared.print("\n$ apus tap deploy/web -n emojivoto | head")
        let query = TapQuery(resource: Resource(kind: .deployment, name: "web"), namespace: "emojivoto")
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        let taps = Task {
            await withTaskGroup(of: Void.self) { group in
                for agent in agents {
                    group.addTask {
                        try? await agent.tap(query, maxRPS: 100) { report in
                            if let text = TapLine(report: report).text { continuation.yield(text) }
                        }
                    }
                }
                group.addTask {
                    try? await Task.sleep(for: .seconds(10))
                    continuation.finish()
                }
            }
        }
        defer { taps.cancel() }
        var shown = 0
        for await line in lines where shown < 12 {
            Terminal.shared.print(line)
            shown += 1
            if shown == 12 { break }
        }
        if shown == 0 { throw CommandError("the tap showed nothing for 10 s") }
    }

    /// What the manifest tells a program.
    private static func setting(_ name: String, of owner: String, in plan: ClusterPlan) -> Double {
        let pod = plan.pods.first { $0.owner == owner }
        let variable = pod?.containers.first?.environment.first { $0.name == name }
        return variable.flatMap { Double($0.value) } ?? 1
    }
}
