// SPDX-License-Identifier: Apache-2.0

/// The field lines of one head, in order, as offsets.
///
/// One block of memory for life: a worker owns one table and parses every head into it. Its capacity is the limit on
/// fields, ``HTTP1/maximumFields``.
@safe
package struct FieldTable: ~Copyable {
    /// One field line. `value` is without the blanks around it.
    package struct Field: Hashable, Sendable, BitwiseCopyable {
        /// The name, as it was written.
        package let name: ByteRange
        /// The value, without the blanks around it; may be empty.
        package let value: ByteRange
    }

    /// How many fields the last head had.
    package private(set) var count = 0
    private let storage: UnsafeMutablePointer<Field>

    /// An empty table.
    package init() {
        unsafe storage = .allocate(capacity: HTTP1.maximumFields)
    }

    deinit { unsafe storage.deallocate() }

    /// The field at `index`, in the order of the lines.
    package subscript(index: Int) -> Field {
        precondition(index >= 0 && index < count, "no such field")
        return unsafe storage[index]
    }

    /// The value of the first field of that name, written in lower case.
    package func value(of name: StaticString, in bytes: Span<UInt8>) -> ByteRange? {
        for index in 0..<count {
            let field = self[index]
            if bytes.matches(field.name, name) { return field.value }
        }
        return nil
    }

    /// Forgets every field.
    package mutating func removeAll() { count = 0 }

    /// Adds a field; false when the table is full.
    mutating func append(name: ByteRange, value: ByteRange) -> Bool {
        guard count < HTTP1.maximumFields else { return false }
        unsafe (storage + count).initialize(to: Field(name: name, value: value))
        count &+= 1
        return true
    }
}
