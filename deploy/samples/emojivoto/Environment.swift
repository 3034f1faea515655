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

    /// `100ms`, `1.5s`.
    static func duration(_ name: String) throws -> Duration? {
        guard let text = text(name) else { return nil }
        for (unit, seconds) in [("ms", 0.001), ("s", 1.0)] {
            if text.hasSuffix(unit), let value = Double(text.dropLast(unit.count)), value >= 0 {
                return .seconds(value * seconds)
            }
        }
        throw ValidationError("\(name) is \"\(text)\": write 100ms or 1.5s")
    }
}
