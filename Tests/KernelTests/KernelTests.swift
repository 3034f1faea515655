// SPDX-License-Identifier: Apache-2.0

import Addresses
import Glibc
import Kernel
import Testing

@Suite struct KernelTests {
    @Test("a sealed file gives its bytes back, and only a sealed one")
    func sealedFile() throws {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
        let file = try SealedFile.create(bytes)
        #expect(try SealedFile.read(file, limit: 100_000) == bytes)
        #expect(throws: SystemError.self) { try SealedFile.read(file, limit: 99_999) }
        #expect(write(file.rawValue, "x", 1) == -1)
        let pipe = try Pipe(bytes: 4096)
        let end = Descriptor(adopting: pipe.reader)
        close(pipe.writer)
        #expect(throws: SystemError.self) { try SealedFile.read(end, limit: 10) }
    }

    @Test("a descriptor closes once, when its owner goes away")
    func descriptor() throws {
        let number = try { () throws -> CInt in
            let event = try EventDescriptor()
            return event.descriptor.rawValue
        }()
        #expect(fcntl(number, F_GETFD) == -1)
    }

    @Test("descriptors travel with a message; a message that does not fit is refused and leaks nothing")
    func passing() throws {
        var ends: [CInt] = [0, 0]
        #expect(socketpair(AF_UNIX, CInt(SOCK_SEQPACKET.rawValue), 0, &ends) == 0)
        defer { ends.forEach { close($0) } }
        let event = try EventDescriptor()
        let sent = try [1, 2, 3].withUnsafeBytes {
            try FDPassing.send($0, descriptors: [event.descriptor.rawValue, 0], over: ends[0])
        }
        #expect(sent)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
        defer { buffer.deallocate() }
        guard case .message(let count, let descriptors) = try FDPassing.receive(into: buffer, over: ends[1]) else {
            Issue.record("no message")
            return
        }
        #expect(count == 24 && descriptors.count == 2 && fcntl(descriptors[0], F_GETFD) == FD_CLOEXEC)
        descriptors.forEach { close($0) }
        _ = try [UInt8](repeating: 0, count: 65).withUnsafeBytes {
            try FDPassing.send($0, descriptors: [0], over: ends[0])
        }
        #expect(throws: SystemError("recvmsg", EMSGSIZE)) { try FDPassing.receive(into: buffer, over: ends[1]) }
        shutdown(ends[0], CInt(SHUT_RDWR))
        guard case .endOfFile = try FDPassing.receive(into: buffer, over: ends[1]) else {
            Issue.record("no end of file")
            return
        }
    }

    @Test("a poller tells tokens, readiness and timeouts")
    func poller() throws {
        let poller = try Poller()
        let event = try EventDescriptor()
        try poller.addInput(event.descriptor.rawValue, token: 42)
        #expect(try poller.wait(milliseconds: 0) == 0)
        event.signal()
        #expect(try poller.wait(milliseconds: 1000) == 1)
        #expect(poller.token(0) == 42 && poller.readiness(0).mayRead && !poller.readiness(0).hasFailed)
        event.clear()
        #expect(try poller.wait(milliseconds: 0) == 0)
    }

    @Test("sockets know their addresses, families and errors", arguments: [IPAddress.loopbackV4, .loopbackV6])
    func sockets(ip: IPAddress) throws {
        let family = ip.isV4 ? AF_INET : AF_INET6
        func make() -> CInt { socket(family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0) }
        let listener = make()
        defer { close(listener) }
        guard Socket.bind(listener, to: SocketAddress(ip, 0), ipv6: !ip.isV4) == 0 else { return }  // no IPv6 here
        let address = try #require(Socket.localAddress(listener))
        #expect(address.ip == ip && address.port != 0 && Socket.isIPv6(listener) == !ip.isV4)
        let refused = make()
        defer { close(refused) }
        let status = Socket.connect(refused, to: address, ipv6: !ip.isV4)
        #expect(status == -Int(ECONNREFUSED) || (status == -Int(EINPROGRESS) && awaitError(refused) == ECONNREFUSED))
        #expect(listen(listener, 1) == 0)
        let dialling = make()
        defer { close(dialling) }
        #expect([0, -Int(EINPROGRESS)].contains(Socket.connect(dialling, to: address, ipv6: !ip.isV4)))
        #expect(awaitError(dialling) == 0)
        var peer = SocketAddress(.anyV4, 0)
        let accepted = CInt(Socket.accept(listener, peer: &peer))
        #expect(accepted >= 0 && peer == Socket.localAddress(dialling))
        close(accepted)
        #expect(Socket.accept(listener, peer: &peer) == -Int(EAGAIN))
    }

    private func awaitError(_ socket: CInt) -> CInt {
        var watched = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        poll(&watched, 1, 5000)
        return Socket.pendingError(socket)
    }
}
