// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Telemetry

/// `apus tap`: every request and connection, as it happens.
struct TapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tap",
        abstract: "Watch requests and connections as they happen.",
        discussion: """
            A request is three lines: req when its head is there, rsp when the response's head is, end when all is
            done. A TCP connection is open and close. Lines of one request or connection share their id. proxy=in is
            what the thing serves, proxy=out what it asks of others. Nothing is slowed down: what is too much is left
            out, and standard error says how much.

            EXAMPLES
              apus tap deploy/web -n emojivoto
              apus tap deploy/web -n emojivoto --to deploy/voting --path /emojivoto.v1.VotingService/VoteDoughnut
              apus tap ns/emojivoto --method POST -o json | jq .responseInitEvent.httpStatus
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument { case line, wide, json }
    enum Side: String, CaseIterable, ExpressibleByArgument { case inbound, outbound }

    @Argument(help: ArgumentHelp("What to watch: deploy, sts, ds, job, po or ns, and a name.", valueName: "kind/name"))
    var what: [String]

    @Option(name: .shortAndLong, help: ArgumentHelp("Its namespace.", valueName: "namespace"))
    var namespace = "default"

    @Option(help: ArgumentHelp("Only what it asks of this: KIND/NAME, or an address.", valueName: "kind/name"))
    var to: String?

    @Option(help: ArgumentHelp("The namespace of --to; default: that of -n.", valueName: "namespace"))
    var toNamespace: String?

    @Option(help: "Only one direction: inbound or outbound.")
    var direction: Side?

    @Option(help: ArgumentHelp("Only requests with this method.", valueName: "method"))
    var method: String?

    @Option(help: ArgumentHelp("Only requests with this authority.", valueName: "authority"))
    var authority: String?

    @Option(help: ArgumentHelp("Only requests whose path begins so.", valueName: "prefix"))
    var path: String?

    @Option(help: ArgumentHelp("The most requests and connections a second, over all nodes.", valueName: "number"))
    var maxRps = 100

    @Option(name: .shortAndLong, help: "line, wide (with who the peers are) or json.")
    var output: Format = .line

    @OptionGroup var agents: AgentOptions

    func validate() throws {
        guard (1...1_000_000).contains(maxRps) else { throw ValidationError("--max-rps is \(maxRps): 1 or more") }
        do { _ = try query() } catch { throw ValidationError("\(error)") }
    }

    func run() async throws {
        let query = try query()
        let agents = try agents.agents()
        let share = max(1, maxRps / agents.count)
        let failures = await withTaskGroup(of: (any Error).self) { group in
            for agent in agents {
                group.addTask {
                    do {
                        try await agent.tap(query, maxRPS: share) { show($0, from: agent) }
                        return CommandError("agent \(agent.address) ended the tap: it stops, or starts anew")
                    } catch {
                        return error
                    }
                }
            }
            var failures: [any Error] = []
            for await failure in group {
                // The others go on: one node that is away, or has no such pod, must not hide the rest.
                let isLast = failures.count + 1 == agents.count
                if !isLast, !(failure is Agent.NotHere) { Terminal.shared.note("warning: \(failure)") }
                failures.append(failure)
            }
            return failures
        }
        guard let failure = failures.last(where: { !($0 is Agent.NotHere) }) else {
            let said = Set(failures.compactMap { ($0 as? Agent.NotHere)?.said }).sorted().joined(separator: "; ")
            throw CommandError("\(said) (apus stat lists what there is)")
        }
        throw failure
    }

    private func show(_ report: TapReport, from agent: Agent) {
        let line = TapLine(report: report, isWide: output == .wide)
        if let dropped = line.dropped { return Terminal.shared.note("agent \(agent.address): \(dropped)") }
        if output == .json {
            if let text = try? TapJSON(report)?.text() { Terminal.shared.print(text) }
        } else if let text = line.text {
            Terminal.shared.print(text)
        }
    }

    private func query() throws -> TapQuery {
        let resources = try Resource.parse(what)
        guard resources.count == 1, let resource = resources.first, resource.name != nil else {
            throw CommandError("tap watches one thing: write KIND/NAME, for example deploy/web")
        }
        guard resource.kind != .service, resource.kind != .authority else {
            throw CommandError(
                "a \(resource.kind.jsonName) has no traffic of its own: tap who calls it, with --to or --authority")
        }
        var query = TapQuery(
            resource: resource, namespace: namespace, direction: direction?.rawValue, method: method,
            authority: authority, path: path)
        guard let to else {
            guard toNamespace == nil else { throw CommandError("--to-namespace needs --to") }
            return query
        }
        guard direction != .inbound else { throw CommandError("--to is about what it asks of others: not inbound") }
        query.direction = Side.outbound.rawValue
        if !to.contains("/"), ResourceKind(word: to) == nil {
            query.peer = to
        } else {
            let peers = try Resource.parse([to])
            guard let peer = peers.first, peers.count == 1, let name = peer.name,
                peer.kind == .pod || peer.kind.ownerKind != nil
            else {
                throw CommandError("--to \(to.visible): write KIND/NAME of a pod or of what owns one, or an address")
            }
            query.peer = "\(toNamespace ?? namespace)/\(name)"
        }
        return query
    }
}
