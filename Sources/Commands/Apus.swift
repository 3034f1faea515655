// SPDX-License-Identifier: Apache-2.0

package import ArgumentParser

/// `apus`: the mesh at a terminal.
package struct Apus: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "See and run a service mesh that has no sidecars.",
        discussion: """
            EXAMPLES
              apus local up -f app.yml         a cluster on this machine, from ordinary Kubernetes manifests
              apus stat deploy -n emojivoto    success, rate and latency of every deployment
              apus tap deploy/web -n emojivoto every request to and from a deployment, as it happens
              apus local down                  end of the cluster; nothing is left

            EXIT STATUS
              0  done    1  it could not be done; one sentence on standard error says why
              64 the command line makes no sense
            """,
        version: Version.text,
        subcommands: [LocalCommand.self, StatCommand.self, TapCommand.self, VersionCommand.self])

    package init() {}

    /// The whole program, so that its main file needs no package of its own.
    package static func run() async { await main() }
}

/// The version of all programs of this build.
package enum Version {
    package static let text = "0.1.0-dev"
}

/// `apus version`
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version.",
        discussion: """
            EXAMPLES
              apus version          apus 0.1.0
              apus version --short  the number alone, for scripts
            """)

    @Flag(help: "Print the number alone.")
    var short = false

    func run() { print(short ? Version.text : "apus \(Version.text)") }
}
