// SPDX-License-Identifier: Apache-2.0

import CLibBPF
import Glibc

/// Asks the kernel what it can do by loading tiny programs.
///
/// libbpf's own helper probe reads an older kernel's words in the verifier's log: on a newer one it finds every helper
/// present.
package enum BPFProbe {
    /// A kind of program and where it would be attached.
    package enum Kind: CaseIterable, Sendable {
        case connect, lookup, socketOperations, peerName, setOption, getOption, syscall

        fileprivate var type: bpf_prog_type {
            switch self {
            case .connect, .peerName: BPF_PROG_TYPE_CGROUP_SOCK_ADDR
            case .lookup: BPF_PROG_TYPE_SK_LOOKUP
            case .socketOperations: BPF_PROG_TYPE_SOCK_OPS
            case .setOption, .getOption: BPF_PROG_TYPE_CGROUP_SOCKOPT
            case .syscall: BPF_PROG_TYPE_SYSCALL
            }
        }

        fileprivate var attachType: bpf_attach_type {
            switch self {
            case .connect: BPF_CGROUP_INET4_CONNECT
            case .peerName: BPF_CGROUP_INET4_GETPEERNAME
            case .lookup: BPF_SK_LOOKUP
            case .socketOperations: BPF_CGROUP_SOCK_OPS
            case .setOption: BPF_CGROUP_SETSOCKOPT
            case .getOption: BPF_CGROUP_GETSOCKOPT
            case .syscall: BPF_CGROUP_INET_INGRESS  // 0: none
            }
        }
    }

    /// Helpers by their numbers in include/uapi/linux/bpf.h.
    package enum Helper: Int32, Sendable {
        case setSocketOption = 49
        case getSocketStorage = 107
        case assignSocket = 124
        case netnsCookie = 122
        case setReturnValue = 187
        case reserveRecord = 131
    }

    /// Whether a program of the kind can be loaded.
    package static func supports(_ kind: Kind) -> Bool {
        // r0 = 1; exit. Every kind of ours accepts 1.
        load(kind, [0x0000_0001_0000_00b7, 0x0000_0000_0000_0095]).loaded
    }

    /// Whether programs of the kind may call the helper.
    package static func supports(_ helper: Helper, in kind: Kind) -> Bool {
        // call helper; r0 = 1; exit. Without arguments the verifier refuses it, but says why.
        let call = UInt64(UInt32(bitPattern: helper.rawValue)) << 32 | 0x85
        let result = load(kind, [call, 0x0000_0001_0000_00b7, 0x0000_0000_0000_0095])
        if result.loaded { return true }
        if result.errno == EPERM { return false }
        return !["unknown func", "invalid func", "cannot use helper"].contains { result.log.containsText($0) }
    }

    private static func load(_ kind: Kind, _ code: [UInt64]) -> (loaded: Bool, errno: CInt, log: String) {
        BPFLog.installed
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { log in
            unsafe log.initialize(repeating: 0)
            let number = unsafe code.withUnsafeBytes { bytes in
                var options = unsafe bpf_prog_load_opts()
                unsafe options.sz = MemoryLayout<bpf_prog_load_opts>.size
                unsafe options.expected_attach_type = kind.attachType
                unsafe options.prog_flags = kind == .syscall ? 1 << 4 : 0  // BPF_F_SLEEPABLE
                unsafe options.log_buf = log.baseAddress
                unsafe options.log_size = UInt32(log.count)
                unsafe options.log_level = 1
                return unsafe bpf_prog_load(
                    kind.type, "apus_probe", "GPL", bytes.baseAddress?.assumingMemoryBound(to: bpf_insn.self),
                    code.count, &options)
            }
            if number >= 0 { close(number) }
            return unsafe (
                number >= 0, number < 0 ? -number : 0, log.baseAddress.map { unsafe String(cString: $0) } ?? ""
            )
        }
    }
}

extension String {
    /// Foundation's `contains` of a string is not to be had here.
    fileprivate func containsText(_ text: String) -> Bool {
        let needle = Array(text.utf8)
        let hay = Array(utf8)
        guard hay.count >= needle.count else { return false }
        return (0...(hay.count - needle.count)).contains { start in
            hay[start..<(start + needle.count)].elementsEqual(needle)
        }
    }
}
