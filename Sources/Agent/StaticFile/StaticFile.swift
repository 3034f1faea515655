// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
package import Model
import Yams

/// The node's desired state as a YAML file: how a node runs without a controller.
///
/// The schema is in `docs/operations.md`. Reading is strict: a key that is not known is a mistake, because a misspelt
/// `skipOutboundPorts` that is quietly ignored is found only in an incident.
package enum StaticFile {
    /// The largest file that is read, in bytes: YAML of 10,000 pods is about 4 MiB.
    package static let maximumBytes = 64 << 20
    /// The most addresses a pod or service may have.
    package static let maximumAddresses = 16

    /// Reads and checks a file.
    /// - Throws: ``StaticFileError`` with every mistake, up to 20.
    package static func load(_ path: String) throws(StaticFileError) -> NodeState {
        func fail(_ reason: String) -> StaticFileError {
            StaticFileError(path: path, mistakes: [.init(line: 0, reason: reason)])
        }
        // Non-blocking, so that a FIFO at this path cannot hold the agent.
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else { throw fail(String(cString: strerror(errno)).lowercased()) }
        let file = FileHandle(fileDescriptor: number, closeOnDealloc: true)
        let data: Data
        do {
            data = try file.read(upToCount: maximumBytes + 1) ?? Data()
        } catch {
            throw fail("cannot be read: \(error)")
        }
        guard data.count <= maximumBytes else { throw fail("larger than the limit of \(maximumBytes >> 20) MiB") }
        guard let text = String(data: data, encoding: .utf8) else { throw fail("not UTF-8") }
        return try parse(text, path: path)
    }

    /// Checks a file's text; `path` is for messages.
    package static func parse(_ text: String, path: String) throws(StaticFileError) -> NodeState {
        let mistakes = MistakeList(bytes: text.utf8.count)
        var state: NodeState?
        do {
            if let root = try compose(yaml: text) {
                var decoder = NodeStateDecoder(mistakes)
                state = decoder.decode(root)
            } else {
                mistakes.add("the file is empty", line: 0)
            }
        } catch let error as YamlError {
            let (line, reason) = describe(error)
            mistakes.add(reason, line: line)
        } catch {
            mistakes.add("\(error)", line: 0)
        }
        guard let state, mistakes.mistakes.isEmpty else {
            throw StaticFileError(path: path, mistakes: mistakes.mistakes.sorted { $0.line < $1.line })
        }
        return state
    }

    private static func describe(_ error: YamlError) -> (line: Int, reason: String) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (mark.line, problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            (context.mark.line, "key given twice: \(duplicates.joined(separator: ", "))")
        case .reader(let problem, _, let value, let text): (line(of: value, in: text), problem)
        case .writer(let problem), .emitter(let problem), .representer(let problem): (0, problem)
        case .no, .memory, .dataCouldNotBeDecoded: (0, "not YAML")
        @unknown default: (0, "not YAML")
        }
    }

    /// The line of the first scalar that cannot stand in YAML: where reading stopped. The error's own offset counts
    /// characters, and is missing where the scalar is only a part of one.
    private static func line(of scalar: Int32, in text: String) -> Int {
        let scalars = text.unicodeScalars
        guard let end = scalars.firstIndex(where: { $0.value == scalar }) else { return 0 }
        return 1 + scalars[..<end].count { $0 == "\n" }
    }
}
