// SPDX-License-Identifier: Apache-2.0

import CLibBPF
import Glibc

/// A BPF object file that is parsed but not in the kernel. Maps pinned by name live under `pinRoot` across restarts.
@safe package struct BPFObjectFile: ~Copyable {
    private let object: OpaquePointer

    /// Opens `path`; maps that ask for it are found, or will be made, in the directory `pinRoot` of a mounted bpffs.
    package init(path: String, pinRoot: String) throws(BPFError) {
        BPFLog.installed
        let object = unsafe pinRoot.withCString { root in
            var options = unsafe bpf_object_open_opts()
            unsafe options.sz = MemoryLayout<bpf_object_open_opts>.size
            unsafe options.pin_root_path = unsafe root
            return unsafe bpf_object__open_file(path, &options)  // libbpf 1.x: NULL on failure, the reason in errno
        }
        let code = errno
        guard let object = unsafe object else { throw BPFError(.open, path, code) }
        unsafe self.object = unsafe object
    }

    deinit { unsafe bpf_object__close(object) }

    /// Fills the object's constants. They are frozen by ``load()``, and the verifier removes the branches they exclude.
    package mutating func setConstants<Constants: BitwiseCopyable>(_ value: Constants) throws(BPFError) {
        guard let map = unsafe bpf_object__find_map_by_name(object, ".rodata") else { throw BPFError(.find, ".rodata") }
        let status = unsafe withUnsafeBytes(of: value) {
            unsafe bpf_map__set_initial_value(map, $0.baseAddress, $0.count)
        }
        guard status == 0 else { throw BPFError(.update, ".rodata", -status) }
    }

    /// Creates the maps that are not pinned yet and has the kernel verify the programs.
    package consuming func load() throws(BPFError) -> BPFObject {
        let status = unsafe bpf_object__load(object)  // 0, or a negated errno
        guard status == 0 else {
            let name = unsafe bpf_object__name(object).map { unsafe String(cString: $0) } ?? "object"
            let error = BPFError(.load, name, -status)
            _ = consume self  // closes; `discard` below makes every path say so
            throw error
        }
        let loaded = unsafe BPFObject(adopting: object)
        discard self
        return loaded
    }
}
