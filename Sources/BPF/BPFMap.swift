// SPDX-License-Identifier: Apache-2.0

import CLibBPF
import Glibc

/// A map in the kernel, of the C types `Key` and `Value`. Usable from any thread; each call is one system call.
package struct BPFMap<Key: BitwiseCopyable, Value: BitwiseCopyable>: ~Copyable, Sendable {
    private let rawValue: CInt
    private let name: String

    init(adopting rawValue: CInt, name: String) {
        self.rawValue = rawValue
        self.name = name
    }

    /// Opens the map pinned at `path`; `nil` if nothing is there, or a map whose keys or values have another size.
    package static func open(pinnedAt path: String) throws(BPFError) -> BPFMap? {
        BPFLog.installed
        let number = unsafe bpf_obj_get(path)
        if number == -ENOENT { return nil }
        guard number >= 0 else { throw BPFError(.open, path, -number) }
        let map = BPFMap(adopting: number, name: path)
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        let status = unsafe bpf_obj_get_info_by_fd(number, &info, &size)
        guard status == 0 else { throw BPFError(.inspect, path, -status) }
        guard info.key_size == MemoryLayout<Key>.size, info.value_size == MemoryLayout<Value>.size else { return nil }
        return map
    }

    deinit { _ = close(rawValue) }

    /// When ``update(_:to:if:)`` may act.
    package enum Condition: UInt64, Sendable {
        case always = 0, absent = 1, present = 2  // BPF_ANY, BPF_NOEXIST, BPF_EXIST
    }

    /// The value of `key`, or `nil`. For a socket storage map the key is a descriptor.
    package borrowing func value(of key: Key) throws(BPFError) -> Value? {
        let found = unsafe withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { value -> (CInt, Value?) in
            let status = unsafe withUnsafeBytes(of: key) {
                unsafe bpf_map_lookup_elem(rawValue, $0.baseAddress, value.baseAddress)
            }
            return unsafe (status, status == 0 ? value[0] : nil)
        }
        guard found.0 == 0 || found.0 == -ENOENT else { throw BPFError(.lookup, name, -found.0) }
        return found.1
    }

    /// Sets the value of `key`.
    package borrowing func update(_ key: Key, to value: Value, if condition: Condition = .always) throws(BPFError) {
        let status = unsafe withUnsafeBytes(of: key) { key in
            unsafe withUnsafeBytes(of: value) { value in
                unsafe bpf_map_update_elem(rawValue, key.baseAddress, value.baseAddress, condition.rawValue)
            }
        }
        guard status == 0 else { throw BPFError(.update, name, -status) }
    }

    /// Removes `key`; it is no error if it is not there.
    package borrowing func remove(_ key: Key) throws(BPFError) {
        let status = unsafe withUnsafeBytes(of: key) { unsafe bpf_map_delete_elem(rawValue, $0.baseAddress) }
        // EINVAL is what a sockmap says about an empty place.
        guard status == 0 || status == -ENOENT || status == -EINVAL else { throw BPFError(.delete, name, -status) }
    }

    /// Every key. A key that comes or goes meanwhile may be missed or, in a hash, start the walk anew.
    package borrowing func keys() throws(BPFError) -> [Key] {
        var keys: [Key] = []
        while true {
            let next = unsafe withUnsafeTemporaryAllocation(of: Key.self, capacity: 1) { room -> (CInt, Key?) in
                let status =
                    if let last = keys.last {
                        unsafe withUnsafeBytes(of: last) {
                            unsafe bpf_map_get_next_key(rawValue, $0.baseAddress, room.baseAddress)
                        }
                    } else {
                        unsafe bpf_map_get_next_key(rawValue, nil, room.baseAddress)
                    }
                return unsafe (status, status == 0 ? room[0] : nil)
            }
            guard next.0 == 0 || next.0 == -ENOENT else { throw BPFError(.lookup, name, -next.0) }
            guard let key = next.1 else { return keys }
            keys.append(key)
        }
    }

    /// One value for each possible processor, of a per-CPU map. `Value` must be 8 bytes, as the kernel pads them to that.
    package borrowing func valuesPerCPU(of key: Key) throws(BPFError) -> [Value] {
        precondition(MemoryLayout<Value>.size == 8, "\(name): per-CPU values must be 8 bytes")
        let processors = Int(libbpf_num_possible_cpus())
        guard processors > 0 else { throw BPFError(.lookup, name, CInt(-processors)) }
        let found = unsafe withUnsafeTemporaryAllocation(of: Value.self, capacity: processors) { room in
            let status = unsafe withUnsafeBytes(of: key) {
                unsafe bpf_map_lookup_elem(rawValue, $0.baseAddress, room.baseAddress)
            }
            return unsafe (status, status == 0 ? Array(room) : [])
        }
        guard found.0 == 0 else { throw BPFError(.lookup, name, -found.0) }
        return found.1
    }
}
