// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A program that a test runs.
package struct TestCommand: Error, CustomStringConvertible {
    package let words: [String]
    package let status: CInt
    package let output: String

    package var description: String { "\(words.joined(separator: " ")): status \(status)\n\(output)" }

    /// Runs a program from PATH to its end and returns what it printed, both streams. Throws itself if it fails.
    @discardableResult
    package static func run(_ words: String...) throws -> String { try run(words) }

    /// Likewise, from an array.
    @discardableResult
    package static func run(_ words: [String]) throws -> String {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { throw TestCommand(words: words, status: errno, output: "pipe") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        posix_spawn_file_actions_addclose(&actions, ends[1])
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var process: pid_t = 0
        let status = posix_spawnp(&process, words[0], &actions, nil, &arguments, environ)
        close(ends[1])
        defer { close(ends[0]) }
        guard status == 0 else { throw TestCommand(words: words, status: status, output: "cannot be started") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let size = read(ends[0], &chunk, chunk.count)
            if size < 0 && errno == EINTR { continue }
            guard size > 0 else { break }
            bytes += chunk[..<size]
        }
        var end: CInt = 0
        while waitpid(process, &end, 0) < 0 && errno == EINTR {}
        let output = String(decoding: bytes, as: UTF8.self)
        guard end == 0 else { throw TestCommand(words: words, status: end, output: output) }
        return output
    }
}
