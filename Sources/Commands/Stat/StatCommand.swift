// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Telemetry

/// `apus stat`: golden signals.
struct StatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat",
        abstract: "Show success rate, request rate and latency.",
        discussion: """
            KIND is one of deploy, sts, ds, job, po, ns, svc, authority, or all. Numbers are what the things served,
            measured at them; services, --to and --from are measured at the callers. MESHED is pods in the mesh / pods.
            TLS is the share of responses that were protected: mutual TLS, or never left the node. A request counts
            when it has ended. LIVE is how many are open now, streams that live for hours among them; the column is
            shown if something has nothing but them.

            EXAMPLES
              apus stat deploy -n emojivoto                  every deployment of a namespace
              apus stat deploy/web po -n emojivoto           one deployment, and every pod
              apus stat ns                                   every namespace
              apus stat deploy -n emojivoto --to svc/web-svc who calls the service, and how that goes
              apus stat svc -A -t 10m -o json                for scripts
            """)

    @Argument(help: ArgumentHelp("What to show: KIND or KIND/NAME.", valueName: "kind[/name]"))
    var what: [String]

    @OptionGroup var scope: NamespaceOptions

    @Option(
        name: [.short, .long], help: ArgumentHelp("How far back to look, 1s to 10m.", valueName: "duration"))
    var timeWindow: Window = .oneMinute

    @Option(help: ArgumentHelp("Only what they asked of this: KIND/NAME.", valueName: "kind[/name]"))
    var to: String?

    @Option(help: ArgumentHelp("The namespace of --to; default: that of -n.", valueName: "namespace"))
    var toNamespace: String?

    @Option(help: ArgumentHelp("Only what this asked of them: KIND/NAME.", valueName: "kind[/name]"))
    var from: String?

    @Option(help: ArgumentHelp("The namespace of --from; default: that of -n.", valueName: "namespace"))
    var fromNamespace: String?

    @Option(name: .shortAndLong, help: "table, wide (with connections, bytes and open streams) or json.")
    var output: OutputFormat = .table

    @OptionGroup var agents: AgentOptions

    func validate() throws {
        guard (1...600).contains(timeWindow.seconds) else {
            throw ValidationError("--time-window is \(timeWindow.seconds)s: agents remember 1s to 10m, Prometheus more")
        }
        guard to == nil || from == nil else { throw ValidationError("--to and --from exclude each other") }
        guard toNamespace == nil || to != nil else { throw ValidationError("--to-namespace needs --to") }
        guard fromNamespace == nil || from != nil else { throw ValidationError("--from-namespace needs --from") }
        do { _ = try query() } catch { throw ValidationError("\(error)") }
    }

    func run() async throws {
        let query = try query()
        let reports = try await StatCommand.ask(try agents.agents(), window: timeWindow.seconds)
        let summary = StatSummary(reports, query)
        switch output {
        case .json: Terminal.shared.print(try StatJSON(summary: summary).text())
        case .table, .wide:
            guard !summary.isEmpty else { return Terminal.shared.note("No traffic found.") }
            let table = StatTable(summary: summary, isWide: output == .wide, showsNamespaces: scope.allNamespaces)
            Terminal.shared.print(String(table.text.dropLast()))
        }
    }

    /// The reports of all agents that answer. One that does not is reported on standard error; if none does, that is
    /// the error.
    static func ask(_ agents: [Agent], window: Int) async throws -> [StatReport] {
        var reports: [StatReport] = []
        var failures: [any Error] = []
        await withTaskGroup(of: Result<StatReport, any Error>.self) { group in
            for agent in agents {
                group.addTask {
                    do { return .success(try await agent.stat(window: window)) } catch { return .failure(error) }
                }
            }
            for await result in group {
                switch result {
                case .success(let report): reports.append(report)
                case .failure(let error): failures.append(error)
                }
            }
        }
        if reports.isEmpty, let failure = failures.first { throw failure }
        for failure in failures { Terminal.shared.note("warning: \(failure); its pods are missing below") }
        return reports.sorted { $0.node < $1.node }
    }

    private func query() throws -> StatQuery {
        var query = StatQuery(resources: try Resource.parse(what), namespace: scope.scope)
        if let to {
            query.relation = .to(try StatCommand.one(to), namespace: toNamespace ?? scope.scope)
        } else if let from {
            query.relation = .from(try StatCommand.one(from), namespace: fromNamespace ?? scope.scope)
        }
        if case .from(let resource, _) = query.relation, [.service, .authority].contains(resource.kind) {
            throw CommandError("--from \(resource.kind.words[0]) makes no sense: pods and what owns them call")
        }
        return query
    }

    private static func one(_ text: String) throws -> Resource {
        let resources = try Resource.parse([text])
        guard resources.count == 1 else { throw CommandError("\(text.visible) is not one thing: write KIND/NAME") }
        return resources[0]
    }
}

/// Which namespace a command looks into.
struct NamespaceOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("The namespace to look into.", valueName: "namespace"))
    var namespace = "default"

    @Flag(name: [.customShort("A"), .long], help: "Look into all namespaces.")
    var allNamespaces = false

    /// `nil` for all.
    var scope: String? { allNamespaces ? nil : namespace }
}
