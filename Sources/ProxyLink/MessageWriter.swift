// SPDX-License-Identifier: Apache-2.0

package import Addresses
package import Model

/// Appends fixed-width little-endian numbers and length-prefixed bytes to a buffer that grows as needed.
///
/// Both ends run on one machine from one build, so there is no versioning inside a message: the version is in `hello`.
package struct MessageWriter {
    /// What has been written.
    package private(set) var bytes: [UInt8]

    package init(reserving capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Empties the buffer and keeps its storage.
    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    package mutating func write(_ value: some FixedWidthInteger & BitwiseCopyable) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }
    package mutating func write(_ id: StableID) { write(id.rawValue) }

    package mutating func write(_ ip: IPAddress) {
        write(ip.high)
        write(ip.low)
    }

    package mutating func write(_ address: SocketAddress) {
        write(address.ip)
        write(address.port)
    }

    /// Text in UTF-8, at most 65,535 bytes; the rest is cut.
    package mutating func write(_ text: String) {
        let utf8 = text.utf8.prefix(Int(UInt16.max))
        write(UInt16(utf8.count))
        bytes.append(contentsOf: utf8)
    }

    /// Bytes of a buffer, at most 65,535; the rest is cut.
    package mutating func write(_ buffer: UnsafeRawBufferPointer) {
        let count = min(buffer.count, Int(UInt16.max))
        write(UInt16(count))
        bytes.append(contentsOf: buffer.prefix(count))
    }

    /// Overwrites a number that was written at `offset` before its value was known.
    package mutating func patch(_ value: UInt32, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { source in
            for index in 0..<4 { bytes[offset + index] = source[index] }
        }
    }
}
