// SPDX-License-Identifier: Apache-2.0

import BPF
import Glibc
import Kernel

/// What this machine can do for us, asked before anything is changed.
package enum KernelProbe {
    /// One thing that interception needs.
    package struct Feature: Hashable, Sendable {
        /// What it is, for people.
        package let name: String
        package let present: Bool
        /// Whether the agent cannot do its work without it.
        package let required: Bool
        /// What its absence costs.
        package let cost: String
    }

    /// Asks everything. Needs root; takes some milliseconds and leaves nothing behind.
    package static func run(cgroupPath: String) -> [Feature] {
        machine(cgroupPath) + capabilities() + programs() + helpers()
    }

    /// One sentence that says why the agent cannot work here; `nil` if it can.
    package static func refusal(_ features: [Feature]) -> String? {
        let missing = features.filter { $0.required && !$0.present }
        guard let first = missing.first else { return nil }
        let others = missing.count > 1 ? " (and \(missing.count - 1) more)" : ""
        return "interception cannot work on this machine: \(first.name) is missing\(others): \(first.cost)"
    }

    private static func machine(_ cgroupPath: String) -> [Feature] {
        [
            Feature(
                name: "kernel type information (/sys/kernel/btf/vmlinux)",
                present: PseudoFile.exists("/sys/kernel/btf/vmlinux"), required: true,
                cost: "socket tags cannot be kept; the kernel needs CONFIG_DEBUG_INFO_BTF"),
            Feature(
                name: "cgroup2 directory \(cgroupPath)",
                present: PseudoFile.exists("\(cgroupPath)/cgroup.procs")
                    && Mount.containing(cgroupPath)?.kind == "cgroup2",
                required: true, cost: "pods' connections cannot be seen; mount cgroup2 or pass its path with --cgroup"),
            Feature(
                name: "bpf file system",
                present: Mount.containing(BPFFileSystem.standardPoint)?.kind == "bpf"
                    || PseudoFile.exists(BPFFileSystem.standardPoint),
                required: true, cost: "interception would end with the agent; the kernel needs CONFIG_BPF_SYSCALL"),
            Feature(
                name: "just-in-time compiler for BPF",
                present: (try? PseudoFile.read("/proc/sys/net/core/bpf_jit_enable")).map { !$0.hasPrefix("0") } ?? true,
                required: false, cost: "each connection costs several times more; set net.core.bpf_jit_enable=1"),
        ]
    }

    private static func capabilities() -> [Feature] {
        let line = (try? PseudoFile.read("/proc/self/status"))?.split(separator: "\n")
            .first { $0.hasPrefix("CapEff:") }
        let held =
            line.flatMap { UInt64($0.dropFirst("CapEff:".count).trimmingPrefix { $0 == "\t" || $0 == " " }, radix: 16) }
            ?? 0
        // Bits of include/uapi/linux/capability.h.
        let wanted: [(String, UInt64, Bool, String)] = [
            ("CAP_SYS_ADMIN", 21, true, "pods' network namespaces cannot be entered"),
            ("CAP_NET_ADMIN", 12, true, "rules, routes and programs cannot be set up"),
            ("CAP_BPF (or CAP_SYS_ADMIN)", held & (1 << 39) != 0 ? 39 : 21, true, "programs cannot be loaded"),
            ("CAP_SYS_PTRACE", 19, false, "listeners cannot be taken back from a proxy that outlived its agent"),
        ]
        return wanted.map { name, bit, required, cost in
            Feature(name: name, present: held & (1 << bit) != 0, required: required, cost: cost)
        }
    }

    private static func programs() -> [Feature] {
        let wanted: [(String, BPFProbe.Kind, Bool, String)] = [
            ("cgroup connect programs (Linux 4.17)", .connect, true, "outgoing connections cannot be captured"),
            ("sk_lookup programs (Linux 5.9)", .lookup, true, "connections cannot be handed to the proxy"),
            ("sockops programs (Linux 4.13)", .socketOperations, true, "listening ports cannot be followed"),
            (
                "cgroup getpeername programs (Linux 5.8)", .peerName, true,
                "applications would see the pod as their client"
            ),
            ("cgroup setsockopt programs (Linux 5.3)", .setOption, true, "the proxy cannot say whom it stands for"),
            ("cgroup getsockopt programs (Linux 5.3)", .getOption, true, "the proxy cannot tell its sockets apart"),
            ("syscall programs (Linux 5.14)", .syscall, true, "listeners older than the agent cannot be counted"),
        ]
        return wanted.map { name, kind, required, cost in
            Feature(name: name, present: BPFProbe.supports(kind), required: required, cost: cost)
        }
    }

    private static func helpers() -> [Feature] {
        let wanted: [(String, BPFProbe.Helper, BPFProbe.Kind, String)] = [
            ("network namespace cookies in connect (Linux 5.7)", .netnsCookie, .connect, "pods cannot be told apart"),
            (
                "network namespace cookies in sockops (Linux 5.15)", .netnsCookie, .socketOperations,
                "pods cannot be told apart"
            ),
            (
                "socket storage in connect (Linux 5.7)", .getSocketStorage, .connect,
                "our own sockets would be captured again"
            ),
            (
                "socket storage in sockopt (Linux 5.3)", .getSocketStorage, .setOption,
                "the proxy's word could not be checked"
            ),
            ("bpf_setsockopt in connect (Linux 5.8)", .setSocketOption, .connect, "connections cannot be marked"),
            (
                "bpf_set_retval (Linux 5.18)", .setReturnValue, .connect,
                "without a proxy, connections would hang, not be refused"
            ),
            (
                "bpf_sk_assign in sk_lookup (Linux 5.9)", .assignSocket, .lookup,
                "connections cannot be handed to the proxy"
            ),
            (
                "BPF ring buffer (Linux 5.8)", .reserveRecord, .socketOperations,
                "the kernel's connection statistics are lost"
            ),
        ]
        return wanted.map { name, helper, kind, cost in
            Feature(name: name, present: BPFProbe.supports(helper, in: kind), required: true, cost: cost)
        }
    }
}
