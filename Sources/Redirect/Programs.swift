// SPDX-License-Identifier: Apache-2.0

import BPF
import CApusABI
import Glibc
import Kernel

/// Our programs in the kernel: which file holds which, where each is attached, under which name the link is pinned.
struct Programs: ~Copyable {
    let maps: PinnedMaps
    /// Loaded for the programs that are called, not attached.
    let recount: BPFObject
    private let pinDirectory: String
    private let objectDirectory: String

    /// Opens, loads and attaches everything that is not a single pod's. What is attached already gets the new program
    /// in the old one's place.
    init(_ options: RedirectOptions, agentCgroup: String) throws {
        let pins = options.pinDirectory
        let recount = try Programs.load("recount", options)
        let maps = try PinnedMaps(of: recount)

        let connect = try Programs.load("connect", options)
        let peerName = try Programs.load("peername", options)
        let socketOperations = try Programs.load("sockops", options)
        let socketOptions = try Programs.load("sockopt", options)

        // The names first: they must be recorded before connections that need them are captured.
        try Programs.attach(socketOperations, "apus_sockops", options.cgroupPath, pin: "\(pins)/link-sockops")
        if !Programs.path(options.cgroupPath, contains: agentCgroup) {
            // Brokered sockets are born in the agent's cgroup, and sockops must see them connect.
            try Programs.attach(socketOperations, "apus_sockops", agentCgroup, pin: "\(pins)/link-sockops-agent")
        } else {
            unlink("\(pins)/link-sockops-agent")  // or they would be seen twice
        }
        try Programs.attach(peerName, "apus_peername4", options.cgroupPath, pin: "\(pins)/link-peername4")
        try Programs.attach(peerName, "apus_peername6", options.cgroupPath, pin: "\(pins)/link-peername6")
        try Programs.attach(socketOptions, "apus_setsockopt", agentCgroup, pin: "\(pins)/link-setsockopt")
        try Programs.attach(socketOptions, "apus_getsockopt", agentCgroup, pin: "\(pins)/link-getsockopt")
        try Programs.attach(connect, "apus_connect4", options.cgroupPath, pin: "\(pins)/link-connect4")
        try Programs.attach(connect, "apus_connect6", options.cgroupPath, pin: "\(pins)/link-connect6")

        self.maps = maps
        self.recount = recount
        pinDirectory = pins
        objectDirectory = options.objectDirectory
    }

    /// A reader for what sockops reports. There must be one at a time.
    borrowing func statistics() throws(BPFError) -> RingBuffer<apus_connection> {
        try recount.ringBuffer("statistics", of: apus_connection.self)
    }

    /// Attaches a pod's own instance of the lookup program to its namespace, or replaces the one that is there.
    borrowing func attachLookup(slot: UInt32, to namespace: borrowing NetworkNamespace) throws {
        var file = try BPFObjectFile(path: "\(objectDirectory)/lookup.bpf.o", pinRoot: pinDirectory)
        try file.setConstants(slot)
        let object = try file.load()
        let path = pinPath("link-lookup-\(slot)")
        let inode = UInt32(truncatingIfNeeded: try namespace.inode())
        if let link = try BPFLink(pinnedAt: path) {
            if try link.target() == .networkNamespace(inode) {
                try object.replace(in: link, with: "apus_lookup")
                return
            }
            unlink(path)
        }
        let link = try object.attach("apus_lookup", to: namespace.descriptor.rawValue)
        try link.pin(at: path)
    }

    /// Ends what ``attachLookup(slot:to:)`` began; nothing there is fine.
    borrowing func detachLookup(slot: UInt32) { unlink(pinPath("link-lookup-\(slot)")) }

    /// Takes everything off and removes the pins. Links first: no program may run with half its maps named.
    static func removePins(_ directory: String) {
        let names = PseudoFile.names(in: directory).sorted { $0.hasPrefix("link-") && !$1.hasPrefix("link-") }
        for name in names { unlink("\(directory)/\(name)") }
        rmdir(directory)
    }

    private static func load(_ name: String, _ options: RedirectOptions) throws -> BPFObject {
        try BPFObjectFile(path: "\(options.objectDirectory)/\(name).bpf.o", pinRoot: options.pinDirectory).load()
    }

    private static func attach(
        _ object: borrowing BPFObject, _ program: String, _ cgroup: String, pin path: String
    ) throws {
        if let link = try BPFLink(pinnedAt: path) {
            if let id = PseudoFile.inode(of: cgroup), try link.target() == .cgroup(id) {
                try object.replace(in: link, with: program)
                return
            }
            unlink(path)  // another cgroup than last time, or one that is gone
        }
        let number = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open", errno) }
        let directory = Descriptor(adopting: number)
        let link = try object.attach(program, to: directory.rawValue)
        try link.pin(at: path)
    }

    private func pinPath(_ name: String) -> String { "\(pinDirectory)/\(name)" }

    private static func path(_ outer: String, contains inner: String) -> Bool {
        inner == outer || inner.hasPrefix(outer.hasSuffix("/") ? outer : outer + "/")
    }
}
