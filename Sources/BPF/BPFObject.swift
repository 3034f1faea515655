// SPDX-License-Identifier: Apache-2.0

import CLibBPF
import Glibc

/// Programs and maps in the kernel. When it goes away, so do the programs that no link holds and the maps nobody pinned.
@safe package struct BPFObject: ~Copyable {
    private let object: OpaquePointer

    init(adopting object: OpaquePointer) { unsafe self.object = unsafe object }

    deinit { unsafe bpf_object__close(object) }

    /// Attaches a program to what `target` is open on: a cgroup directory or a network namespace, as the program's
    /// section says. It stays attached until the link dies, or for good once the link is pinned.
    package borrowing func attach(_ name: String, to target: CInt) throws(BPFError) -> BPFLink {
        let program = unsafe try find(name)
        let type = unsafe bpf_program__expected_attach_type(program)
        let number = unsafe bpf_link_create(bpf_program__fd(program), target, type, nil)
        guard number >= 0 else { throw BPFError(.attach, name, -number) }
        return BPFLink(adopting: number)
    }

    /// Puts a program in the place of the one that `link` holds, with no moment between.
    package borrowing func replace(in link: borrowing BPFLink, with name: String) throws(BPFError) {
        let program = unsafe try find(name)
        let status = unsafe bpf_link_update(link.rawValue, bpf_program__fd(program), nil)
        guard status == 0 else { throw BPFError(.replace, name, -status) }
    }

    /// Runs a program of type syscall once, on this thread, with `argument` as its context.
    package borrowing func run<Argument: BitwiseCopyable>(_ name: String, _ argument: Argument) throws(BPFError) {
        let program = unsafe try find(name)
        var argument = argument
        let status = unsafe withUnsafeMutableBytes(of: &argument) { bytes in
            var options = unsafe bpf_test_run_opts()
            unsafe options.sz = MemoryLayout<bpf_test_run_opts>.size
            unsafe options.ctx_in = UnsafeRawPointer(bytes.baseAddress)
            unsafe options.ctx_size_in = UInt32(bytes.count)
            return unsafe bpf_prog_test_run_opts(bpf_program__fd(program), &options)
        }
        guard status == 0 else { throw BPFError(.run, name, -status) }
    }

    /// Opens a map of the given types. Traps if bpf/abi and the loaded object disagree on their sizes.
    package borrowing func map<Key: BitwiseCopyable, Value: BitwiseCopyable>(
        _ name: String, _: Key.Type, _: Value.Type
    ) throws(BPFError) -> BPFMap<Key, Value> {
        guard let map = unsafe bpf_object__find_map_by_name(object, name) else { throw BPFError(.find, name) }
        precondition(unsafe bpf_map__key_size(map) == MemoryLayout<Key>.size, "\(name): key layout")
        precondition(unsafe bpf_map__value_size(map) == MemoryLayout<Value>.size, "\(name): value layout")
        // Its own descriptor: outlives the object, no lifetime to explain.
        let number = unsafe dup(bpf_map__fd(map))
        guard number >= 0 else { throw BPFError(.find, name, errno) }
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        return BPFMap(adopting: number, name: name)
    }

    /// A consumer of the ring buffer map `name`, whose records are all `Record`.
    package borrowing func ringBuffer<Record: BitwiseCopyable>(
        _ name: String, of _: Record.Type
    ) throws(BPFError) -> RingBuffer<Record> {
        guard let map = unsafe bpf_object__find_map_by_name(object, name) else { throw BPFError(.find, name) }
        return try RingBuffer(map: unsafe bpf_map__fd(map), name: name)
    }

    private borrowing func find(_ name: String) throws(BPFError) -> OpaquePointer {
        guard let program = unsafe bpf_object__find_program_by_name(object, name) else { throw BPFError(.find, name) }
        return unsafe program
    }
}
