// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation

/// The programs' settings: environment variables, checked at the start.
enum Environment {
    static func text(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    static func required(_ name: String) throws -> String {
        guard let value = text(name) else { throw ValidationError("set \(name) in the environment") }
        return value
    }

    static func port(_ name: String, default port: Int) throws -> Int {
        guard let text = text(name) else { return port }
        guard let value = Int(text), (1...65535).contains(value) else {
            throw ValidationError("\(name) is \"\(text)\", not a port")
        }
        return value
    }

    static func number(_ name: String, in range: ClosedRange<Double>, default number: Double) throws -> Double {
        guard let text = text(name) else { return number }
        guard let value = Double(text), range.contains(value) else {
            throw ValidationError(
                "\(name) is \"\(text)\": write a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    static func duration(_ name: String) throws -> Duration? {
        guard let text = text(name) else { return nil }
        guard let duration = GoDuration.parse(text) else {
            throw ValidationError("\(name) is \"\(text)\": write 100ms, 1.5s or 1m30s")
        }
        return duration
    }

    /// `host:port`, taken apart.
    static func address(_ name: String) throws -> (host: String, port: Int) {
        let text = try required(name)
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65535).contains(port), colon > text.startIndex
        else { throw ValidationError("\(name) is \"\(text)\": write host:port") }
        return (String(text[..<colon]), port)
    }
}
