// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Wire

/// `Vectors/hpack/*.txt`: whole connections by an independent encoder; the format is in `generate.py` beside them.
@Suite("HPACK vectors")
struct HPACKVectorTests {
    struct Connection: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var announced = 0
        var blocks: [(bytes: [UInt8], fields: [HPACKField], tableBytes: Int)] = []
    }

    @Test("there are two hundred blocks")
    func present() {
        #expect(Self.connections.reduce(0) { $0 + $1.blocks.count } == 200)
    }

    @Test("what another encoder writes is read as it was meant", arguments: connections)
    func decode(_ connection: Connection) throws {
        var decoder = HPACKDecoder(maximumTableBytes: connection.announced)
        var fields = FieldBlock()
        for (number, block) in connection.blocks.enumerated() {
            fields.removeAll()
            try decoder.decode(block.bytes, into: &fields)
            #expect(fields.all == block.fields, "block \(number)")
            #expect(decoder.tableBytes == block.tableBytes, "block \(number)")
            #expect(fields.listBytes == block.fields.reduce(0) { $0 + $1.size })
            for index in 0..<fields.count {
                #expect(fields[index].nameToken == staticToken(block.fields[index].name))
            }
        }
    }

    @Test("every strict prefix of a block is cut short or holds the first fields", arguments: connections)
    func prefixes(_ connection: Connection) throws {
        var history: [[UInt8]] = []
        for block in connection.blocks.prefix(12) {
            for end in 0..<min(block.bytes.count, 400) {
                var decoder = HPACKDecoder(maximumTableBytes: connection.announced)
                for earlier in history { _ = try decoder.decode(earlier) }
                do throws(HPACKError) {
                    let fields = try decoder.decode(Array(block.bytes[..<end]))
                    #expect(fields[...] == block.fields.prefix(fields.count), "cut at \(end)")
                    #expect(fields.count < block.fields.count)
                } catch {
                    #expect(error == .truncated, "cut at \(end)")
                }
            }
            history.append(block.bytes)
        }
    }

    static let connections: [Connection] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Vectors/hpack").path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".txt") }.sorted().map { name in
            let bytes = FileManager.default.contents(atPath: folder + "/" + name) ?? Data()
            return connection(name, String(decoding: bytes, as: UTF8.self))
        }
    }()

    private static func connection(_ name: String, _ text: String) -> Connection {
        var connection = Connection(testDescription: name)
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            let last = connection.blocks.count - 1
            switch words[0] {
            case "announced": connection.announced = Int(words[1]) ?? 0
            case "block": connection.blocks.append((hex(words[1]), [], 0))
            case "table": connection.blocks[last].tableBytes = Int(words[1]) ?? -1
            default:
                connection.blocks[last].fields.append(
                    HPACKField(hex(words[1]), hex(words[2]), isSensitive: words[0] == "never"))
            }
        }
        return connection
    }
}
