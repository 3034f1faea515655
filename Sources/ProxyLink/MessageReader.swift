// SPDX-License-Identifier: Apache-2.0

package import Addresses
package import Model
import Telemetry

/// A message that does not say what its type promises. The link is closed: the two ends are not the same build, or one
/// of them has been taken over.
package struct MalformedMessage: Error, Equatable {
    /// What was being read.
    package let what: StaticString
    package let offset: Int

    package static func == (left: Self, right: Self) -> Bool { left.offset == right.offset }
}

/// Reads what ``MessageWriter`` wrote; every read is bounds-checked, because the other end may be hostile.
package struct MessageReader {
    private let bytes: ArraySlice<UInt8>
    private var at: Int

    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    package init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    /// Whether everything has been read.
    package var isAtEnd: Bool { at == bytes.endIndex }

    /// Throws if anything is left over.
    package func requireEnd() throws(MalformedMessage) {
        guard isAtEnd else { throw malformed("bytes after the end") }
    }

    package mutating func read<Number: FixedWidthInteger & BitwiseCopyable>(
        _: Number.Type = Number.self
    ) throws(MalformedMessage) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.endIndex - at >= size else { throw malformed("number") }
        var value: Number = 0
        withUnsafeMutableBytes(of: &value) { target in
            for index in 0..<size { target[index] = bytes[at + index] }
        }
        at += size
        return Number(littleEndian: value)
    }

    package mutating func readBool() throws(MalformedMessage) -> Bool {
        switch try read(UInt8.self) {
        case 0: return false
        case 1: return true
        default: throw malformed("truth value")
        }
    }

    package mutating func readID() throws(MalformedMessage) -> StableID { StableID(rawValue: try read()) }

    package mutating func readIP() throws(MalformedMessage) -> IPAddress {
        let high: UInt64 = try read()
        return IPAddress(high: high, low: try read())
    }

    package mutating func readAddress() throws(MalformedMessage) -> SocketAddress {
        let ip = try readIP()
        return SocketAddress(ip, try read())
    }

    package mutating func readText() throws(MalformedMessage) -> String {
        let count = Int(try read(UInt16.self))
        guard bytes.endIndex - at >= count else { throw malformed("text") }
        defer { at += count }
        return String(decoding: bytes[at..<at + count], as: UTF8.self)
    }

    /// An enum by its raw value.
    package mutating func readCase<Case: RawRepresentable>(
        _: Case.Type = Case.self
    ) throws(MalformedMessage) -> Case where Case.RawValue: FixedWidthInteger & BitwiseCopyable {
        guard let value = Case(rawValue: try read()) else { throw malformed("enumeration") }
        return value
    }

    /// A code of ``GRPCStatus`` or ``HTTPSeriesDelta/Responses/noGRPCStatus``: it becomes a label, so no other is taken.
    package mutating func readGRPCStatus() throws(MalformedMessage) -> UInt8 {
        let code: UInt8 = try read()
        guard code == HTTPSeriesDelta.Responses.noGRPCStatus || GRPCStatus(rawValue: code) != nil else {
            throw malformed("gRPC status")
        }
        return code
    }

    /// A count of elements of at least `size` bytes each: no more than what is left can hold, so a lie cannot make the
    /// reader reserve memory.
    package mutating func readCount(elementSize size: Int) throws(MalformedMessage) -> Int {
        let count = Int(try read(UInt32.self))
        guard count <= (bytes.endIndex - at) / max(size, 1) else { throw malformed("count") }
        return count
    }

    package func malformed(_ what: StaticString) -> MalformedMessage {
        MalformedMessage(what: what, offset: at - bytes.startIndex)
    }
}
