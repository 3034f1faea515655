// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Kernel
import Model
import ProxyLink
import Telemetry

/// The proxy's end of the link to the agent, on the process's first thread.
///
/// The agent connects; a new connection replaces the one before it, so a restarted agent takes over by connecting. While
/// there is no agent the workers go on with what they have.
struct LinkServer: ~Copyable {
    /// The most messages that wait for a slow agent: about a minute of counters. An agent that is further behind is cut
    /// off; it connects again and starts afresh.
    private static let maximumQueued = 4096
    /// The largest configuration, in bytes: 10,000 pods and 2,000 services take about 5 MiB.
    private static let maximumConfigurationBytes = 256 << 20

    /// How often a full socket is waited for, 100 ms each, before the agent counts as gone.
    private static let patience = 20

    private let listener: CInt
    private let workers: [WorkerHandle]
    private let outbox: Mailbox<Report>
    private let instance: UInt64
    private let buffer: UnsafeMutableRawBufferPointer
    /// Only root may be the agent; tests run as whoever they are.
    private let agentUser: CInt

    private var link: CInt = -1
    private var queue: [[UInt8]] = []
    private var configuration: Configuration?
    private var applied: [UInt64: Int] = [:]
    private var collected: [UInt64: Int] = [:]
    private var listeners: [ListenerKey: ListenerEntry] = [:]
    private var taps: Set<UInt32> = []
    private var drained = 0
    private var isFinished = false

    private struct ListenerKey: Hashable {
        let pod: StableID
        let direction: Direction
    }

    private struct ListenerEntry {
        let slot: UInt32
        let descriptor: CInt
    }

    /// `listener` is a listening `SOCK_SEQPACKET` socket.
    init(listener: CInt, workers: [WorkerHandle], outbox: Mailbox<Report>, agentUser: CInt) {
        self.listener = listener
        self.workers = workers
        self.outbox = outbox
        self.agentUser = agentUser
        instance = MonotonicClock.now() ^ (UInt64(UInt32(bitPattern: getpid())) << 32)
        buffer = .allocate(byteCount: ProxyLink.maximumMessageBytes * 2, alignment: 16)
        _ = fcntl(listener, F_SETFL, O_NONBLOCK)
    }

    deinit { buffer.deallocate() }

    /// Serves until the workers have drained.
    mutating func run() {
        while !isFinished {
            var watched = [
                pollfd(fd: outbox.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                pollfd(fd: link, events: Int16(POLLIN) | (queue.isEmpty ? 0 : Int16(POLLOUT)), revents: 0),
            ]
            guard poll(&watched, nfds_t(watched.count), -1) >= 0 || errno == EINTR else { return }
            if watched[0].revents != 0 { forwardReports() }
            if watched[1].revents != 0 { acceptAgent() }
            if link >= 0 && watched[2].fd == link && watched[2].revents != 0 { serveLink() }
        }
    }

    private mutating func acceptAgent() {
        var unused = SocketAddress(.anyV4, 0)
        let number = CInt(truncatingIfNeeded: Socket.accept(listener, peer: &unused))
        guard number >= 0 else { return }
        guard agentUser < 0 || Sandbox.peerUser(of: number) == agentUser else {
            close(number)
            return
        }
        disconnect()
        link = number
        send(
            .hello(version: ProxyLink.version, instance: instance, workers: UInt16(truncatingIfNeeded: workers.count)))
        tellAll(.forgetSocketRequests)
    }

    private mutating func disconnect() {
        guard link >= 0 else { return }
        close(link)
        link = -1
        queue.removeAll()
        for tap in taps { tellAll(.tapStop(id: tap)) }
        taps.removeAll()
        collected.removeAll()
    }

    private func tellAll(_ command: Command) {
        for worker in workers { worker.mailbox.put(command) }
    }

    // MARK: From the agent

    private mutating func serveLink() {
        flush()
        while link >= 0 {
            do throws(SystemError) {
                switch try FDPassing.receive(into: buffer, over: link) {
                case .wouldBlock: return
                case .endOfFile: return disconnect()
                case .message(let count, let descriptors):
                    handle(Array(buffer[0..<count]), descriptors)
                }
            } catch {
                return disconnect()
            }
        }
    }

    private mutating func handle(_ bytes: [UInt8], _ descriptors: [CInt]) {
        do throws(MalformedMessage) {
            let message = try AgentMessage(decoding: bytes)
            perform(message, descriptors)
        } catch {
            descriptors.forEach { close($0) }
            send(.log(level: .error, text: "the agent sent a malformed message: \(error.what) at \(error.offset)"))
            disconnect()
        }
    }

    private mutating func perform(_ message: AgentMessage, _ descriptors: [CInt]) {
        switch message {
        case .configuration(let version):
            guard let file = descriptors.first else { return }
            configure(version, Descriptor(adopting: file))
            descriptors.dropFirst().forEach { close($0) }
            return
        case .listener(let pod, let slot, let direction):
            guard let listener = descriptors.first else { return }
            descriptors.dropFirst().forEach { close($0) }
            addListener(pod, slot, direction, listener)
            return
        case .sockets(let pod, let ipv6, let worker):
            if Int(worker) < workers.count {
                workers[Int(worker)].mailbox.put(.sockets(pod: pod, ipv6: ipv6, descriptors))
                return
            }
        case .withdraw(let pod):
            tellAll(.withdraw(pod))
            for direction in Direction.allCases {
                if let entry = listeners.removeValue(forKey: ListenerKey(pod: pod, direction: direction)) {
                    close(entry.descriptor)
                }
            }
        case .tapStart(let filter):
            taps.insert(filter.id)
            tellAll(.tapStart(CompiledTap(filter)))
        case .tapStop(let id):
            taps.remove(id)
            tellAll(.tapStop(id: id))
        case .collect(let sequence):
            collected[sequence] = 0
            tellAll(.collect(sequence: sequence))
        case .returnListeners:
            for (key, entry) in listeners {
                send(
                    .listener(pod: key.pod, slot: entry.slot, direction: key.direction),
                    descriptors: [entry.descriptor])
            }
            send(.listenersReturned)
        case .drain(let seconds):
            tellAll(.drain(deadline: MonotonicClock.now() + UInt64(seconds) * 1_000_000_000))
        }
        descriptors.forEach { close($0) }
    }

    private mutating func configure(_ version: UInt64, _ file: consuming Descriptor) {
        do {
            let bytes = try SealedFile.read(file, limit: LinkServer.maximumConfigurationBytes)
            let state = try NodeState(decoding: bytes)
            let next = Configuration(version: version, state: state, previous: configuration)
            configuration = next
            applied[version] = 0
            tellAll(.configuration(next))
        } catch {
            send(.refused(version: version, reason: "\(error)"))
        }
    }

    private mutating func addListener(_ pod: StableID, _ slot: UInt32, _ direction: Direction, _ descriptor: CInt) {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        Socket.tune(descriptor)
        let key = ListenerKey(pod: pod, direction: direction)
        if let old = listeners[key] { close(old.descriptor) }
        listeners[key] = ListenerEntry(slot: slot, descriptor: descriptor)
        for worker in workers {
            let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            guard own >= 0 else { continue }
            worker.mailbox.put(.listener(pod: pod, slot: slot, direction: direction, descriptor: own))
        }
    }

    // MARK: To the agent

    private mutating func forwardReports() {
        for report in outbox.takeAll() {
            switch report {
            case .needSockets(let pod, let ipv6, let worker, let count):
                send(.needSockets(pod: pod, ipv6: ipv6, worker: worker, count: count))
            case .message(let bytes): enqueue(bytes)
            case .collected(let sequence):
                guard let count = collected[sequence] else { continue }
                collected[sequence] = count + 1
                guard count + 1 == workers.count else { continue }
                collected[sequence] = nil
                send(.collected(sequence: sequence))
            case .applied(let version):
                applied[version, default: 0] += 1
                guard applied[version] == workers.count else { continue }
                applied[version] = nil
                send(.applied(version: version))
            case .drained:
                drained += 1
                if drained == workers.count { isFinished = true }
            }
        }
        flush()
    }

    private mutating func send(_ message: ProxyMessage, descriptors: [CInt] = []) {
        guard link >= 0 else { return }
        if descriptors.isEmpty { return enqueue(message.encoded()) }
        // Only the answer to `returnListeners` has descriptors, at the start of a link, and the agent is reading: waiting
        // a moment for room keeps the order, which a queue of bytes alone could not.
        let bytes = message.encoded()
        for _ in 0..<LinkServer.patience where link >= 0 {
            flush()
            let isSent =
                queue.isEmpty
                && ((try? bytes.withUnsafeBytes {
                    try FDPassing.send($0, descriptors: descriptors, over: link)
                }) ?? false)
            if isSent { return }
            var watched = pollfd(fd: link, events: Int16(POLLOUT), revents: 0)
            poll(&watched, 1, 100)
        }
        disconnect()
    }

    private mutating func enqueue(_ bytes: [UInt8]) {
        guard link >= 0 else { return }
        queue.append(bytes)
        if queue.count > LinkServer.maximumQueued { return disconnect() }
        flush()
    }

    private mutating func flush() {
        var sent = 0
        while sent < queue.count && link >= 0 {
            do throws(SystemError) {
                guard
                    try queue[sent].withUnsafeBytesThrowing({ bytes throws(SystemError) in
                        try FDPassing.send(bytes, descriptors: [], over: link)
                    })
                else { break }
                sent += 1
            } catch {
                return disconnect()
            }
        }
        queue.removeFirst(min(sent, queue.count))
    }
}

extension Array where Element == UInt8 {
    /// `withUnsafeBytes` that keeps the type of what is thrown.
    fileprivate func withUnsafeBytesThrowing<Result>(
        _ body: (UnsafeRawBufferPointer) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        let result: Swift.Result<Result, SystemError> = withUnsafeBytes { bytes in
            do throws(SystemError) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
