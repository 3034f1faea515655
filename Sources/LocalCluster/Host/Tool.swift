// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// Runs `ip` and `nft`, which say what they mean in a manual page; the real agent speaks netlink itself.
enum Tool {
    /// Runs a command to its end with `input` on standard input and gives its standard output.
    ///
    /// Through unlinked files rather than pipes: no size deadlocks. The error has the command and what it said.
    @discardableResult
    static func run(_ arguments: [String], input: String = "") throws(ClusterError) -> String {
        let inputFile = try scratch(input)
        let outputFile = try scratch("")
        let errorFile = try scratch("")
        defer { for file in [inputFile, outputFile, errorFile] { close(file) } }
        let child = try ChildProcess.start(
            arguments, input: inputFile, output: outputFile, errors: errorFile, newSession: false)
        let exit = child.wait()
        guard exit == .code(0) else {
            let said = contents(errorFile).trimmingCharacters(in: .whitespacesAndNewlines)
            let command = arguments.joined(separator: " ")
            throw ClusterError(
                "`\(command)` ended with \(exit): \(said.isEmpty ? "it said nothing" : said)\(Tool.line(said, input))")
        }
        return contents(outputFile)
    }

    /// `ip -batch` reports "-:7": say what line 7 was.
    private static func line(_ said: String, _ input: String) -> String {
        guard let range = said.range(of: "-:"), let number = Int(said[range.upperBound...].prefix { $0.isNumber })
        else {
            return ""
        }
        let lines = input.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.indices.contains(number - 1) ? " (\(lines[number - 1]))" : ""
    }

    private static func scratch(_ text: String) throws(ClusterError) -> CInt {
        var template = Array("/tmp/apus-tool-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        guard file >= 0 else { throw ClusterError("cannot make a file in /tmp: \(String(cString: strerror(errno)))") }
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        unlink(template)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            guard written > 0 else { throw ClusterError("cannot write to /tmp: \(String(cString: strerror(errno)))") }
            rest = rest.dropFirst(written)
        }
        lseek(file, 0, SEEK_SET)
        return file
    }

    private static func contents(_ file: CInt) -> String {
        lseek(file, 0, SEEK_SET)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}
