// SPDX-License-Identifier: Apache-2.0

package import Wire

/// What came of parsing a head, comparable, with its fields.
package enum Outcome<Head: Hashable & Sendable>: Hashable, Sendable {
    case incomplete
    case refused(HTTP1Error)
    case head(Head, [FieldTable.Field])

    package var head: Head? { if case .head(let head, _) = self { head } else { nil } }
    package var fields: [FieldTable.Field] { if case .head(_, let fields) = self { fields } else { [] } }
    package var error: HTTP1Error? { if case .refused(let error) = self { error } else { nil } }

    /// The outcome for bytes of which these were the beginning may be this one or, before that, nothing yet.
    package func isConsistent(withPrefixOutcome prefix: Outcome) -> Bool { prefix == .incomplete || prefix == self }

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

extension Outcome<RequestHead> {
    /// What comes of parsing a request.
    package init(request bytes: Span<UInt8>) {
        var table = FieldTable()
        self.init(&table) { table throws(HTTP1Error) in try HTTP1.parseRequestHead(bytes, into: &table) }
    }
}

extension Outcome<ResponseHead> {
    /// What comes of parsing a response.
    package init(response bytes: Span<UInt8>, answering method: Method) {
        var table = FieldTable()
        self.init(&table) { table throws(HTTP1Error) in
            try HTTP1.parseResponseHead(bytes, answering: method, into: &table)
        }
    }
}

/// What came of following a chunked body.
package struct Decoded: Hashable, Sendable {
    package var consumed = 0
    package var isComplete = false
    package var payload: UInt64 = 0
    package var error: HTTP1Error?

    package init(consumed: Int = 0, isComplete: Bool = false, payload: UInt64 = 0) {
        self.consumed = consumed
        self.isComplete = isComplete
        self.payload = payload
    }

    /// Feeds `bytes`, cut at `cuts`, until the body ends or is refused.
    package init(_ bytes: Span<UInt8>, cutAt cuts: some Sequence<Int> = EmptyCollection()) {
        var decoder = ChunkedDecoder()
        var start = 0
        func feed(to end: Int) throws(HTTP1Error) {
            if !decoder.isComplete { consumed += try decoder.consume(bytes.extracting(start..<end)) }
            start = end
        }
        do throws(HTTP1Error) {
            for cut in cuts { try feed(to: cut) }
            try feed(to: bytes.count)
        } catch {
            // How far it got depends on the pieces, as it should: none of a piece with a mistake is forwarded.
            consumed = 0
            self.error = error
            return
        }
        isComplete = decoder.isComplete
        payload = decoder.payloadBytes
    }
}
