// SPDX-License-Identifier: Apache-2.0

import Addresses
import Foundation
import Glibc
import Kernel

/// A short blocking question to a TCP port, from inside a network namespace or from the machine itself.
enum ProbeConnection {
    /// Connects, and asks for `path` if there is one.
    /// - Returns: the HTTP status and body, 200 and nothing for a connection; `nil` if there was no answer in time.
    static func ask(
        _ address: SocketAddress, path: String?, netns: String?, timeout: Duration
    ) -> (status: Int, body: String)? {
        let deadline = ContinuousClock.now + timeout
        guard let socket = makeSocket(in: netns), let v4 = address.ip.v4 else { return nil }
        defer { close(socket) }
        var peer = sockaddr_in()
        peer.sin_family = sa_family_t(AF_INET)
        peer.sin_port = address.port.bigEndian
        peer.sin_addr.s_addr = v4.bigEndian
        let result = withUnsafePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 {
            guard errno == EINPROGRESS, wait(socket, Int16(POLLOUT), deadline) else { return nil }
            var code: CInt = 0
            var size = socklen_t(MemoryLayout<CInt>.size)
            guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code == 0 else { return nil }
        }
        guard let path else { return (200, "") }
        let request = Array(
            "GET \(path) HTTP/1.1\r\nHost: \(address)\r\nUser-Agent: apus-local\r\nConnection: close\r\n\r\n".utf8)
        guard send(socket, request, request.count, CInt(MSG_NOSIGNAL)) == request.count else { return nil }
        return response(socket, deadline)
    }

    private static func response(_ socket: CInt, _ deadline: ContinuousClock.Instant) -> (status: Int, body: String)? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        // What a probe needs is at the start; a server that never stops talking must not fill our memory.
        while bytes.count < 65536, wait(socket, Int16(POLLIN), deadline) {
            let count = recv(socket, &buffer, buffer.count, 0)
            if count < 0 && errno == EAGAIN { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasPrefix("HTTP/1."), let status = Int(text.dropFirst(9).prefix(3)) else { return nil }
        let body = text.range(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
        return (status, body)
    }

    private static func makeSocket(in netns: String?) -> CInt? {
        func make() -> CInt {
            Glibc.socket(
                AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        }
        // A socket belongs to the namespace it is made in, wherever its thread goes afterwards.
        let socket =
            netns.map { name in (try? NetworkNamespace(path: "/run/netns/\(name)").run { make() }) ?? -1 } ?? make()
        return socket >= 0 ? socket : nil
    }

    private static func wait(_ socket: CInt, _ events: Int16, _ deadline: ContinuousClock.Instant) -> Bool {
        let left = deadline - .now
        guard left > .zero else { return false }
        var entry = pollfd(fd: socket, events: events, revents: 0)
        return poll(&entry, 1, Int32(left / .milliseconds(1)) + 1) > 0
    }
}

/// Runs something that blocks on a thread that may block, away from the few that run tasks.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(returning: body()) }
    }
}
