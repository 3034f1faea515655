// SPDX-License-Identifier: Apache-2.0

extension HTTP1 {
    /// Parses field lines (RFC 9112 §5) and the empty line after them.
    ///
    /// - Returns: false while the empty line has not arrived.
    static func parseFields(
        _ bytes: Span<UInt8>, _ at: inout Int, into fields: inout FieldTable, noting meaning: inout FieldMeaning
    ) throws(HTTP1Error) -> Bool {
        while true {
            let start = at
            at = bytes.endOfToken(from: at)
            guard at < bytes.count else { return false }
            guard bytes[at] == .colon, at > start else {
                if at == start, bytes[at] == .carriageReturn { return try lineEnd(bytes, &at) }
                throw fieldNameError(bytes[at], isAtStart: at == start, isFirst: fields.count == 0)
            }
            let name = ByteRange(start, at)
            at &+= 1
            let paddedStart = at
            while at < bytes.count, bytes[at].isBlank { at &+= 1 }
            let valueStart = at
            at = bytes.endOfText(from: at)
            let paddedEnd = at
            guard at < bytes.count else { return false }
            guard bytes[at] == .carriageReturn else {
                throw bytes[at] == .lineFeed ? .bareLineFeed : .malformedFieldValue
            }
            guard try lineEnd(bytes, &at) else { return false }
            var valueEnd = paddedEnd
            while valueEnd > valueStart, bytes[valueEnd &- 1].isBlank { valueEnd &-= 1 }

            let value = ByteRange(valueStart, valueEnd)
            guard fields.append(name: name, value: value) else { throw .tooManyFields }
            try meaning.note(bytes, name: name, value: value, padded: ByteRange(paddedStart, paddedEnd))
        }
    }

    /// Names the rule that `byte` breaks where a field name should be.
    static func fieldNameError(_ byte: UInt8, isAtStart: Bool, isFirst: Bool) -> HTTP1Error {
        switch byte {
        case .lineFeed: .bareLineFeed
        // A line that begins with a blank continues the one before (obs-fold, RFC 9112 §5.2): peers disagree on it,
        // and before the first field they disagree on what it continues (§2.2).
        case .space, .horizontalTab: isAtStart ? (isFirst ? .blankBeforeFirstField : .foldedLine) : .blankBeforeColon
        default: .malformedFieldName
        }
    }
}
