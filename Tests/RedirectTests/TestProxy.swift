// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Redirect
import Synchronization
import TestSupport

/// The least that a proxy must do: accept on a pod's listeners, learn the destination, connect there with a brokered
/// socket, and copy.
final class TestProxy: @unchecked Sendable {
    struct Accepted: Equatable, Sendable {
        let direction: CaptureDirection
        let destination: SocketAddress
        let peer: SocketAddress
    }

    private let core: Core
    private let thread: TestThread

    /// - Parameter answer: if there is one, outgoing connections get it instead of being carried on.
    init(_ redirect: Redirect, _ enrolled: Enrolled, _ pod: TestNetwork.Pod, answer: String? = nil) throws {
        let core = try Core(redirect, enrolled, pod, answer: answer)
        self.core = core
        thread = TestThread { core.serve() }
    }

    deinit {
        core.stop()
        thread.join()
    }

    var accepted: [Accepted] { core.accepted }
}

/// What the proxy's threads share; it lives until the last of them ends.
private final class Core: @unchecked Sendable {
    private let state = Mutex<(accepted: [TestProxy.Accepted], pool: [CInt])>(([], []))
    private let listeners: [(CaptureDirection, CInt)]
    private let own: [IPAddress]
    private let stopped: (CInt, CInt)
    private let answer: String?

    init(_ redirect: Redirect, _ enrolled: Enrolled, _ pod: TestNetwork.Pod, answer: String?) throws {
        listeners = enrolled.listeners.map { ($0.direction, fcntl($0.descriptor, F_DUPFD_CLOEXEC, 0)) }
        own = pod.addresses
        self.answer = answer
        var ends: [CInt] = [0, 0]
        precondition(pipe(&ends) == 0)
        stopped = (ends[0], ends[1])
        let pool = try redirect.makeSockets(uid: pod.name, ipv6: false, count: 12)
        let pool6 = try redirect.makeSockets(uid: pod.name, ipv6: true, count: 12)
        state.withLock { $0.pool = pool + pool6 }
    }

    deinit {
        close(stopped.0)
        for (_, number) in listeners { close(number) }
        state.withLock { for number in $0.pool { close(number) } }
    }

    func stop() { close(stopped.1) }

    var accepted: [TestProxy.Accepted] { state.withLock { $0.accepted } }

    func serve() {
        var watched = listeners.map { pollfd(fd: $0.1, events: Int16(POLLIN), revents: 0) }
        watched.append(pollfd(fd: stopped.0, events: Int16(POLLIN), revents: 0))
        while poll(&watched, nfds_t(watched.count), -1) >= 0 {
            if watched.last!.revents != 0 { return }
            for (index, (direction, number)) in listeners.enumerated() where watched[index].revents != 0 {
                let accepted = Glibc.accept(number, nil, nil)
                guard accepted >= 0 else { continue }
                begin(TestSocket(adopting: accepted), direction)
            }
        }
    }

    private func begin(_ downstream: TestSocket, _ direction: CaptureDirection) {
        let destination = downstream.localAddress
        let peer = downstream.peerAddress
        state.withLock { $0.accepted.append(.init(direction: direction, destination: destination, peer: peer)) }
        if direction == .outbound, let answer {
            try? downstream.write(answer)
            return
        }
        let isV4 = destination.ip.isV4
        guard let upstream = take(ipv6: !isV4) else { return }
        do {
            let source = direction == .inbound ? destination.ip : own.first { $0.isV4 == isV4 }!
            try upstream.bind(SocketAddress(source, 0))
            if direction == .inbound { try upstream.set(0x4150, 1, bytes: TestProxy.bytes(of: peer)) }
            try upstream.connect(destination)
        } catch {
            reset(downstream)
            return
        }
        // Each thread keeps both sockets until it has read the end of one.
        for (from, to) in [(downstream, upstream), (upstream, downstream)] {
            _ = TestThread {
                while let text = try? from.read(), !text.isEmpty {
                    do { try to.write(text) } catch { return }
                }
                try? to.shutdownWriting()
            }
        }
    }

    private func take(ipv6: Bool) -> TestSocket? {
        state.withLock { state in
            let index = state.pool.firstIndex { number in
                var family: CInt = 0
                var size = socklen_t(MemoryLayout<CInt>.size)
                getsockopt(number, SOL_SOCKET, SO_DOMAIN, &family, &size)
                return (family == AF_INET6) == ipv6
            }
            return index.map { TestSocket(adopting: state.pool.remove(at: $0)) }
        }
    }

    private func reset(_ socket: TestSocket) {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket.descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }
}

extension TestProxy {
    /// `struct apus_client_address`
    static func bytes(of address: SocketAddress) -> [UInt8] {
        let halves = [address.ip.high, address.ip.low]
        return halves.flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) } }
            + [UInt8(address.port >> 8), UInt8(address.port & 0xff), 0, 0]
    }
}
