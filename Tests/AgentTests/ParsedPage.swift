// SPDX-License-Identifier: Apache-2.0

import Telemetry

/// A strict reader of the Prometheus text format, to check what the agent writes. Knows only what the agent may write: a
/// page that a lenient reader would accept too fails here if it breaks the rules.
struct ParsedPage {
    struct Wrong: Error, CustomStringConvertible { let description: String }

    /// Values by `name` and sorted `label=value` pairs.
    private(set) var samples: [String: Double] = [:]
    private(set) var families: [String] = []

    init(_ bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Wrong(description: "not UTF-8") }
        guard text.isEmpty || text.hasSuffix("\n") else { throw Wrong(description: "the last line has no end") }
        var family: MetricFamily?
        var buckets: [String: [(bound: Double, count: Double)]] = [:]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if line.hasPrefix("# HELP ") {
                let name = String(line.split(separator: " ")[2])
                guard let known = Catalog.all.first(where: { $0.name == name }) else {
                    throw Wrong(description: "\(name) is not in the catalog")
                }
                guard !families.contains(name) else { throw Wrong(description: "\(name) comes twice") }
                families.append(name)
                family = known
                continue
            }
            guard let family else { throw Wrong(description: "a sample before any family: \(line)") }
            if line.hasPrefix("#") {
                guard line == "# TYPE \(family.name) \(family.kind.rawValue)" else {
                    throw Wrong(description: "\(line)")
                }
                continue
            }
            let (name, labels, value) = try ParsedPage.sample(line)
            let suffix = name.dropFirst(family.name.count)
            guard name.hasPrefix(family.name),
                family.kind == .histogram ? ["_bucket", "_sum", "_count"].contains(suffix) : suffix == ""
            else { throw Wrong(description: "\(name) is not of family \(family.name)") }
            for label in labels.keys where !(family.labels.contains(label) || (label == "le" && suffix == "_bucket")) {
                throw Wrong(description: "\(family.name) must not have the label \(label)")
            }
            let key = ParsedPage.key(name, labels)
            guard samples.updateValue(value, forKey: key) == nil else { throw Wrong(description: "twice: \(key)") }
            guard value >= 0 || family.kind == .gauge else { throw Wrong(description: "negative: \(line)") }
            if suffix == "_bucket" {
                var rest = labels
                guard let bound = rest.removeValue(forKey: "le").flatMap({ $0 == "+Inf" ? .infinity : Double($0) })
                else {
                    throw Wrong(description: "no bound: \(line)")
                }
                buckets[ParsedPage.key(family.name, rest), default: []].append((bound, value))
            } else if suffix == "_count" {
                let series = buckets[ParsedPage.key(family.name, labels)] ?? []
                guard series.last?.bound == .infinity, series.last?.count == value else {
                    throw Wrong(description: "+Inf is not the count: \(line)")
                }
                for (one, next) in zip(series, series.dropFirst())
                where one.bound >= next.bound || one.count > next.count {
                    throw Wrong(description: "buckets out of order: \(line)")
                }
            }
        }
    }

    /// The value of a series; labels as `name=value,name=value` in any order.
    subscript(name: String, labels: String) -> Double? {
        let pairs = labels.split(separator: ",").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        return samples[ParsedPage.key(name, Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) }))]
    }

    private static func key(_ name: String, _ labels: [String: String]) -> String {
        name + "{" + labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",") + "}"
    }

    private static func sample(_ line: Substring) throws -> (name: String, labels: [String: String], value: Double) {
        var rest = line
        let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == ":" }
        rest.removeFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest.removeFirst()
            while rest.first != "}" {
                let label = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                rest.removeFirst(label.count)
                guard !label.isEmpty, rest.hasPrefix("=\"") else { throw Wrong(description: "bad label: \(line)") }
                rest.removeFirst(2)
                var value = ""
                while let character = rest.popFirst(), character != "\"" {
                    guard character == "\\" else {
                        value.append(character)
                        continue
                    }
                    switch rest.popFirst() {
                    case "\\": value.append("\\")
                    case "\"": value.append("\"")
                    case "n": value.append("\n")
                    default: throw Wrong(description: "bad escape: \(line)")
                    }
                }
                guard labels.updateValue(value, forKey: String(label)) == nil, !value.isEmpty else {
                    throw Wrong(description: "label twice or empty: \(line)")
                }
                if rest.first == "," {
                    rest.removeFirst()
                } else if rest.first != "}" {
                    throw Wrong(description: "\(line)")
                }
            }
            rest.removeFirst()
        }
        guard !name.isEmpty, rest.first == " ", let value = Double(rest.dropFirst().replacing("Inf", with: "inf"))
        else {
            throw Wrong(description: "bad sample: \(line)")
        }
        return (String(name), labels, value)
    }
}
