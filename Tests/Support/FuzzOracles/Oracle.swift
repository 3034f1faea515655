// SPDX-License-Identifier: Apache-2.0

/// What must hold of one parser whatever bytes it is given, beyond that it does not crash.
///
/// The fuzz target asks it of bytes that libFuzzer makes up, `make test` of every file that fuzzing has left behind.
package struct Oracle: Sendable {
    /// Of the target, `fuzz-NAME`, and of the folder of its corpus, `Tests/Corpora/NAME`.
    package let name: String
    private let judge: @Sendable (Span<UInt8>) throws(Violation) -> Void

    /// Those of the data plane's parsers.
    package static let wire = [http1Request, http1Response, chunked, detect, clientHello, hpack, http2]

    /// An oracle that throws the property that does not hold.
    package init(_ name: String, _ judge: @escaping @Sendable (Span<UInt8>) throws(Violation) -> Void) {
        self.name = name
        self.judge = judge
    }

    /// Checks one input.
    package func check(_ bytes: [UInt8]) throws(Violation) { try judge(bytes.span) }

    /// The body of `LLVMFuzzerTestOneInput`: a violation ends the process, which is how libFuzzer learns of it.
    package func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
        do throws(Violation) {
            // Not copied: the block is exactly as long as the input, so the sanitizer sees a read behind it.
            try judge(UnsafeBufferPointer(start: start, count: count).span)
        } catch {
            fatalError("\(name): \(error)")
        }
        return 0
    }
}

extension Oracle: CustomStringConvertible {
    package var description: String { name }
}

/// A property that did not hold, in words.
package struct Violation: Error, Hashable, CustomStringConvertible {
    package let description: String

    /// A property, as it should have been.
    package init(_ description: String) { self.description = description }
}

/// Throws what should have been true and is not.
package func require(_ condition: Bool, _ property: @autoclosure () -> String) throws(Violation) {
    guard condition else { throw Violation(property()) }
}
