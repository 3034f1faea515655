// SPDX-License-Identifier: Apache-2.0

import Wire

/// What came of parsing a head, comparable, with its fields.
enum Outcome<Head: Hashable & Sendable>: Hashable, Sendable {
    case incomplete
    case refused(HTTP1Error)
    case head(Head, [FieldTable.Field])

    var head: Head? { if case .head(let head, _) = self { head } else { nil } }
    var fields: [FieldTable.Field] { if case .head(_, let fields) = self { fields } else { [] } }
    var error: HTTP1Error? { if case .refused(let error) = self { error } else { nil } }

    /// The outcome for bytes of which these were the beginning may be this one or, before that, nothing yet.
    func isConsistent(withPrefixOutcome prefix: Outcome) -> Bool { prefix == .incomplete || prefix == self }

    fileprivate init(_ table: inout FieldTable, _ parse: (inout FieldTable) throws(HTTP1Error) -> Head?) {
        do throws(HTTP1Error) {
            guard let head = try parse(&table) else {
                self = .incomplete
                return
            }
            self = .head(head, (0..<table.count).map { table[$0] })
        } catch {
            self = .refused(error)
        }
    }
}

func parseRequest(_ bytes: some Collection<UInt8>) -> Outcome<RequestHead> {
    let bytes = Array(bytes)
    var table = FieldTable()
    return Outcome(&table) { table throws(HTTP1Error) in try HTTP1.parseRequestHead(bytes.span, into: &table) }
}

func parseResponse(_ bytes: some Collection<UInt8>, answering method: Method = .get) -> Outcome<ResponseHead> {
    let bytes = Array(bytes)
    var table = FieldTable()
    return Outcome(&table) { table throws(HTTP1Error) in
        try HTTP1.parseResponseHead(bytes.span, answering: method, into: &table)
    }
}

func parseRequest(_ text: String) -> Outcome<RequestHead> { parseRequest(Array(text.utf8)) }

func parseResponse(_ text: String, answering method: Method = .get) -> Outcome<ResponseHead> {
    parseResponse(Array(text.utf8), answering: method)
}

/// What came of following a chunked body.
struct Decoded: Hashable {
    var consumed = 0
    var isComplete = false
    var payload: UInt64 = 0
    var error: HTTP1Error?
}

/// Feeds `pieces` one after the other until the body ends or is refused.
func decode(_ pieces: [ArraySlice<UInt8>]) -> Decoded {
    var decoder = ChunkedDecoder()
    var result = Decoded()
    do throws(HTTP1Error) {
        for piece in pieces where !decoder.isComplete {
            let piece = Array(piece)
            result.consumed += try decoder.consume(piece.span)
        }
    } catch {
        return Decoded(error: error)
    }
    result.isComplete = decoder.isComplete
    result.payload = decoder.payloadBytes
    return result
}

func decode(_ text: String) -> Decoded { decode([Array(text.utf8)[...]]) }

/// Where to cut `count` bytes: everywhere if they are few, at both ends and every so often if they are many.
func cuts(_ count: Int) -> [Int] {
    guard count > 2_000 else { return Array(0...count) }
    return Array(0..<300) + Array(stride(from: 300, to: count - 300, by: max(1, count / 60)))
        + Array(count - 300...count)
}

extension Collection<UInt8> {
    /// The bytes of `range`, as text to look at.
    func text(_ range: ByteRange) -> String {
        String(decoding: Array(self)[range.indices], as: UTF8.self)
    }
}
