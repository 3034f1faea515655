// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Kernel
import Model
import ProxyLink
import Telemetry

/// One proxy under the harness's care.
struct Session {
    private let options: Harness.Options
    private let child: pid_t
    private let link: CInt
    private let pod: LocalPod
    private var totals = Totals()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)

    init(_ options: Harness.Options) throws {
        self.options = options
        pod = LocalPod(
            workload: Workload(
                uid: "harness", namespace: "test", name: "harness", owner: .init(.deployment, "harness"),
                addresses: [.loopbackV4]),
            networkNamespacePath: "", policy: options.policy, connectionLimit: options.connectionLimit)
        let path = "/tmp/apus-harness-\(getpid()).sock"
        let listener = Session.unixSocket()
        try Session.withUnixAddress(path) { address, size in
            guard bind(listener, address, size) == 0, Glibc.listen(listener, 4) == 0 else {
                throw SystemError("bind", errno)
            }
        }
        let root = "/tmp/apus-harness-\(getpid()).root"
        mkdir(root, 0o555)
        child = try Session.spawn(
            options.proxy, ["--link-fd", "3", "--root", root] + options.proxyArguments, listener)
        close(listener)
        link = Session.unixSocket()
        try Session.withUnixAddress(path) { address, size in
            guard connect(link, address, size) == 0 else { throw SystemError("connect", errno) }
        }
        unlink(path)
    }

    /// Serves the proxy until it ends or the harness is told to.
    mutating func serve() throws -> CInt {
        try configure()
        var sequence: UInt64 = 0
        var nextCollect = MonotonicClock.now() + options.collectSeconds * 1_000_000_000
        if options.tap { try send(.tapStart(TapFilter(id: 1, pods: [pod.workload.id], maximumPerSecond: 1000))) }
        // Answered when everything before it has been done, sandbox and tap included.
        try send(.collect(sequence: 0))
        while true {
            var watched = [
                pollfd(fd: link, events: Int16(POLLIN), revents: 0), pollfd(fd: 0, events: Int16(POLLIN), revents: 0),
            ]
            let now = MonotonicClock.now()
            if now >= nextCollect {
                sequence += 1
                nextCollect = now + options.collectSeconds * 1_000_000_000
                try send(.collect(sequence: sequence))
            }
            poll(&watched, 2, CInt(clamping: (nextCollect - min(now, nextCollect)) / 1_000_000 + 1))
            if watched[1].revents != 0 {
                let size = read(0, buffer.baseAddress, 64)
                guard size > 0 else {
                    // Standard input closed: whoever started the harness has gone or is done.
                    kill(child, SIGKILL)
                    return 0
                }
                let words = String(decoding: buffer[..<size], as: UTF8.self).split(whereSeparator: \.isWhitespace)
                if words.first == "drain", let seconds = words.last.flatMap({ UInt32($0) }) {
                    try send(.drain(seconds: seconds))
                }
            }
            guard watched[0].revents != 0 else { continue }
            switch try FDPassing.receive(into: buffer, over: link) {
            case .wouldBlock: continue
            case .endOfFile:
                print("proxy ended")
                return 1
            case .message(let count, _): try handle(ProxyMessage(decoding: Array(buffer[0..<count])))
            }
        }
    }

    private mutating func handle(_ message: ProxyMessage) throws {
        switch message {
        case .needSockets(_, let ipv6, let worker, let count):
            usleep(options.socketDelay * 1000)
            let sockets = (0..<count).map { _ in
                socket(ipv6 ? AF_INET6 : AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
            }
            for socket in sockets {
                Socket.setOption(socket, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
                Socket.setOption(socket, CInt(IPPROTO_IP), 24, 1)  // IP_BIND_ADDRESS_NO_PORT, linux/in.h
                // Where client and proxy are in two namespaces, as in the benchmark, the client's address is not ours.
                Socket.setOption(socket, CInt(IPPROTO_IP), 19, 1)  // IP_TRANSPARENT, linux/in.h
            }
            try send(.sockets(pod: pod.workload.id, ipv6: ipv6, worker: worker), sockets)
            sockets.forEach { close($0) }
        case .counters(let deltas): totals.add(deltas)
        case .collected(sequence: 0):
            print("ready pid=\(child)")
            fflush(nil)
        case .collected:
            guard !options.quiet else { return }
            print(totals.line)
            fflush(nil)
        case .taps(let events):
            for event in events { print("tap \(event.base):\(event.stream) \(event.direction.label) \(event.kind)") }
            fflush(nil)
        case .log(_, let text), .refused(_, let text): print("log \(text)")
        case .hello: rmdir("/tmp/apus-harness-\(getpid()).root")  // the proxy is inside it by now
        case .applied, .listener, .listenersReturned: break
        }
    }

    private func configure() throws {
        var state = NodeState(node: "harness", meshedRanges: [IPPrefix("127.0.0.0/8")!], pods: [pod])
        if !options.inbound {
            for (index, address) in options.listen.enumerated() {
                state.services.append(
                    Service(
                        namespace: "test", name: "service-\(index)", addresses: [address.ip],
                        ports: [
                            Service.Port(
                                port: address.port, opaque: options.opaque,
                                endpoints: options.endpoints.map { Endpoint($0) })
                        ]))
            }
            // The endpoints are somebody else, or every hop would be one inside the pod.
            state.pods[0].workload.addresses = [IPAddress("127.9.9.9")!]
        }
        let file = try SealedFile.create(state.encoded())
        try send(.configuration(version: 1), [file.rawValue])
        for address in options.listen {
            let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
            Socket.setOption(listener, SOL_SOCKET, SO_REUSEADDR, 1)
            guard Socket.bind(listener, to: address, ipv6: false) == 0, Glibc.listen(listener, 4096) == 0 else {
                throw SystemError("bind", errno)
            }
            try send(
                .listener(pod: pod.workload.id, slot: 0, direction: options.inbound ? .inbound : .outbound), [listener])
            close(listener)
        }
    }

    private func send(_ message: AgentMessage, _ descriptors: [CInt] = []) throws {
        let bytes = message.encoded()
        _ = try bytes.withUnsafeBytes { try FDPassing.send($0, descriptors: descriptors, over: link) }
    }

    private static func unixSocket() -> CInt { socket(AF_UNIX, CInt(SOCK_SEQPACKET.rawValue), 0) }

    private static func withUnixAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void)
        throws
    {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        try withUnsafePointer(to: &address) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func spawn(_ path: String, _ arguments: [String], _ descriptor: CInt) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, descriptor, 3)
        var pointers = ([path] + arguments).map { strdup($0) } + [nil]
        defer { pointers.forEach { free($0) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, path, &actions, nil, &pointers, environ)
        guard status == 0 else { throw SystemError("posix_spawn", status) }
        return pid
    }
}

/// What the proxy has counted, as one line of JSON.
struct Totals {
    private var requests: UInt64 = 0
    private var live: Int64 = 0
    private var responses: [String: UInt64] = [:]
    private var failures: [String: UInt64] = [:]
    private var worker: [String: UInt64] = [:]
    private var tcp: [String: UInt64] = [:]
    private var processorTime: UInt64 = 0
    private var overhead: UInt64 = 0

    mutating func add(_ deltas: [CounterDelta]) {
        for delta in deltas {
            switch delta {
            case .http(_, let delta):
                requests += delta.requests
                live += Int64(delta.liveChange)
                overhead += delta.overheadSumNanoseconds
                for entry in delta.responses {
                    let status = GRPCStatus(rawValue: entry.grpcStatus).map { " grpc \($0.rawValue)" } ?? ""
                    let outcome = "\(entry.status) \(entry.isSuccess ? "success" : "failure")\(status)"
                    responses[outcome, default: 0] += entry.count
                }
            case .tcp(let key, let delta):
                tcp["\(key.side.label) opened", default: 0] += delta.opened
                tcp["\(key.side.label) read", default: 0] += delta.readBytes
                tcp["\(key.side.label) written", default: 0] += delta.writtenBytes
                for entry in delta.closed { tcp["\(key.side.label) closed \(entry.errno)", default: 0] += entry.count }
            case .failure(_, _, let reason, let count): failures[reason.rawValue, default: 0] += count
            case .processorTime(_, let nanoseconds): processorTime += nanoseconds
            case .worker(let counter, _, let count): worker[counter.label, default: 0] += count
            }
        }
    }

    var line: String {
        func object(_ values: [String: UInt64]) -> String {
            "{" + values.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
        }
        return
            "{\"requests\":\(requests),\"live\":\(live),\"responses\":\(object(responses)),\"failures\":\(object(failures)),"
            + "\"tcp\":\(object(tcp)),\"worker\":\(object(worker)),\"processorTime\":\(processorTime),\"overhead\":\(overhead)}"
    }
}
