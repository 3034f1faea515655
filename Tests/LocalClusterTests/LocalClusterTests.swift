// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import LocalCluster
import Testing

private let canRunLocalCluster =
    ProcessInfo.processInfo.environment["CI"] != nil || (geteuid() == 0 && !ClusterControl.current.isRunning)

/// A real cluster on this machine, through the `apus` program. Needs root and no other local cluster: otherwise it is
/// skipped aloud, and fails where CI says that it must run.
@Suite("A local cluster", .serialized, .enabled(if: canRunLocalCluster, "needs root and no running local cluster"))
struct LocalClusterTests {
    private static let manifest = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: tiny}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: files, namespace: tiny}
        spec:
          replicas: 2
          selector: {matchLabels: {app: files}}
          template:
            metadata: {labels: {app: files}}
            spec:
              containers:
                - name: files
                  image: python
                  command: [sh, -c]
                  args: ["mkdir -p /tmp/$HOSTNAME && cd /tmp/$HOSTNAME && hostname > index.html && exec python3 -m http.server 8000"]
                  ports: [{name: http, containerPort: 8000}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: files, namespace: tiny}
        spec: {selector: {app: files}, ports: [{port: 80, targetPort: http}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: caller, namespace: tiny}
        spec: {containers: [{name: caller, image: shell, command: [sleep, "1000000"]}]}
        """

    @Test("serves through virtual addresses, heals after kill -9, and leaves nothing")
    func life() throws {
        let directory = "/tmp/apus-local-test-\(getpid())"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = "\(directory)/tiny.yml"
        try Self.manifest.write(toFile: file, atomically: true, encoding: .utf8)
        let apus = Program(state: "\(directory)/state")
        // `down` refuses a cluster that keeps its files elsewhere: this cannot end somebody else's.
        defer { _ = try? apus.run("down") }

        let up = try apus.run("up", ["--no-mesh", "-f", file])
        #expect(up.status == 0 && up.output.contains("3 of 3 pods ready"), "\(up.output)")
        try expectBothPodsAnswer(apus)
        #expect(try apus.run("status").status == 0)
        let again = try apus.run("up", ["--no-mesh", "-f", file])
        #expect(again.status == 1 && again.output.contains("a cluster is up already"), "\(again.output)")

        // The pods outlive their supervisor; a new cluster takes their place.
        for pid in try ControlGroup.cluster().child("supervisor").processes { kill(pid, SIGKILL) }
        #expect(try apus.run("status").status == 1)
        let healed = try apus.run("up", ["--no-mesh", "-f", file])
        #expect(healed.status == 0, "\(healed.output)")
        try expectBothPodsAnswer(apus)

        #expect(try apus.run("down").status == 0)
        #expect(try Leftovers.find() == [])
        #expect(!FileManager.default.fileExists(atPath: "\(directory)/state"))
        #expect(try apus.run("down").output.contains("there was no cluster"))
    }

    /// With two endpoints chosen by chance, 40 calls miss one of them once in 10^12 runs.
    private func expectBothPodsAnswer(_ apus: Program) throws {
        let script = "for i in $(seq 40); do curl -sS -m 5 http://files.tiny/; done; curl -sS -m 5 http://files:81/"
        let result = try apus.run("run", ["caller", "--", "sh", "-c", script])
        let names = Set(result.output.split(separator: "\n").filter { $0.hasPrefix("files-") })
        #expect(names.count == 2, "\(result.output)")
        // A port that the service does not have is refused at once.
        #expect(result.output.contains("Failed to connect") || result.output.contains("refused"), "\(result.output)")
    }
}

/// The `apus` program that was built with these tests.
private struct Program {
    let state: String

    func run(_ verb: String, _ arguments: [String] = []) throws -> (status: Int32, output: String) {
        let directory = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
            .deletingLastPathComponent()
        let program = directory.appendingPathComponent("apus").path
        try #require(
            FileManager.default.isExecutableFile(atPath: program), "no apus at \(program): swift build makes it")
        let log = "\(state).\(UUID().uuidString)"
        let file = open(log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        try #require(file >= 0)
        defer {
            close(file)
            unlink(log)
        }
        // Options before the arguments: what follows `--` is not ours.
        let all = [program, "local", verb, "--state-directory", state] + arguments
        let exit = try ChildProcess.start(all, output: file, errors: file).wait()
        let output = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        guard case .code(let code) = exit else { return (-1, output) }
        return (code, output)
    }
}
