// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import LocalCluster
import Logging

/// `apus local up`
struct LocalUp: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Make the cluster and start everything in it.",
        discussion: """
            Reads Namespace, Deployment, StatefulSet, DaemonSet, Pod and Service; other kinds are reported and ignored.
            A pod is in the mesh if it, or its namespace, has the annotation apus.io/inject: enabled (or
            linkerd.io/inject). What a crashed cluster left is removed first.

            EXAMPLES
              apus local up                                  the sample application on two nodes
              apus local up -f app.yml --nodes 3
              apus local up -f app.yml --image shop=./shop   ./shop stands for the image registry/shop:v1
              apus local up -f app.yml --no-mesh             without agents, to compare
            """)

    @Option(
        name: [.short, .customLong("filename")],
        help: ArgumentHelp("A manifest; - is standard input. Repeatable.", valueName: "file"),
        completion: .file(extensions: ["yml", "yaml"]))
    var files: [String] = []

    @OptionGroup var description: ClusterDescription
    @OptionGroup var state: StateOptions

    @Flag(help: "Stay, and end the cluster on Ctrl-C.")
    var foreground = false

    func run() async throws {
        try ClusterControl.requireRoot()
        let plan = try description.plan(files.isEmpty ? [SampleManifest.find()] : files)
        for notice in plan.notices { Terminal.shared.note(notice) }
        let control = state.control
        try control.prepare(plan, try description.settings())
        if foreground { return try await runInForeground(control) }
        let unready = try await ClusterStart(control, plan).run()
        guard unready.isEmpty else { throw ExitCode.failure }
    }

    private func runInForeground(_ control: ClusterControl) async throws {
        let (plan, settings) = try control.prepared()
        let show = ClusterStart(control, plan)
        let supervisor = try Supervisor(
            plan: plan, state: control.state, settings: settings, log: Logger(label: "apus.local"),
            report: { show.show($0) })
        try await supervisor.run(until: StopSignals())
        Terminal.shared.print("the cluster has ended; nothing is left")
    }
}

/// Starts a prepared cluster in the background and shows how it goes.
struct ClusterStart: Sendable {
    private let control: ClusterControl
    private let plan: ClusterPlan

    init(_ control: ClusterControl, _ plan: ClusterPlan) {
        self.control = control
        self.plan = plan
    }

    /// - Returns: the names of pods that are not ready.
    func run() async throws -> [String] {
        let arguments = ["local", "supervise", "--state-directory", control.state.path]
        let unready = try await control.startSupervisor(arguments, interrupt: StopSignals()) { show($0) }
        show(.up(unready: unready))
        return unready
    }

    /// One line for a piece of progress.
    func show(_ progress: StartProgress) {
        switch progress {
        case .step(let text): Terminal.shared.note("\(text) ...")
        case .pods(let ready, let total): Terminal.shared.transient("\(ready) of \(total) pods are ready")
        case .failed(let reason): Terminal.shared.note(reason)
        case .up(let unready):
            let meshed = plan.pods.count { $0.meshed }
            let ready = "\(plan.pods.count - unready.count) of \(plan.pods.count) pods ready"
            Terminal.shared.print("the cluster is up: \(plan.nodes.count) nodes, \(ready), \(meshed) in the mesh")
            for name in unready {
                Terminal.shared.note("pod \(name) is not ready: apus local logs \(name)")
            }
        }
    }
}
