// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// One epoll set, for one thread (man 7 epoll).
@safe package struct Poller: ~Copyable {
    private let epoll: Descriptor
    private let ready: UnsafeMutableBufferPointer<epoll_event>

    /// How many events one wait can report: enough that a busy turn needs one call, small enough to stay in the L1 cache.
    package static let eventsPerWait = 256

    package init() throws(SystemError) {
        let number = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard number >= 0 else { throw SystemError("epoll_create1", apus_errno()) }
        epoll = Descriptor(adopting: number)
        unsafe ready = .allocate(capacity: Poller.eventsPerWait)
        unsafe ready.initialize(repeating: epoll_event())
    }

    deinit { unsafe ready.deallocate() }

    /// What became of a descriptor. Questions and not an option set: the literals of one cost an allocation each.
    package struct Readiness: Sendable, BitwiseCopyable {
        private let events: UInt32

        fileprivate init(_ events: UInt32) { self.events = events }

        /// Bytes, the end of the stream or an error can be read.
        package var mayRead: Bool {
            events & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        }
        /// A short read need not be the end of what is there: the peer sent FIN or urgent data (at whose mark a read
        /// stops), or the connection is broken.
        package var isMoreThanBytes: Bool {
            events & (EPOLLRDHUP.rawValue | EPOLLPRI.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        }
        /// Bytes can be written, or writing tells why not.
        package var mayWrite: Bool {
            events & (EPOLLOUT.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        }
        /// The kernel holds an error for it.
        package var hasFailed: Bool { events & EPOLLERR.rawValue != 0 }
    }

    /// Watches a connection for everything, edge-triggered: once, so that no request needs another `epoll_ctl`.
    package borrowing func addConnection(_ descriptor: CInt, token: UInt64) throws(SystemError) {
        let interest = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLPRI.rawValue | apus_epollet()
        try control(EPOLL_CTL_ADD, descriptor, interest, token)
    }

    /// Watches a listener that other threads watch too: level-triggered, and only some of them are woken.
    package borrowing func addListener(_ descriptor: CInt, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, descriptor, EPOLLIN.rawValue | apus_epollexclusive(), token)
    }

    /// Watches a descriptor of our own for input, level-triggered.
    package borrowing func addInput(_ descriptor: CInt, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, descriptor, EPOLLIN.rawValue, token)
    }

    /// Stops watching. Needed only for a descriptor of which another process holds a duplicate; others leave by closing.
    package borrowing func remove(_ descriptor: CInt) {
        var unused = unsafe epoll_event()
        _ = unsafe epoll_ctl(epoll.rawValue, EPOLL_CTL_DEL, descriptor, &unused)
    }

    private borrowing func control(
        _ operation: CInt, _ descriptor: CInt, _ interest: UInt32, _ token: UInt64
    ) throws(SystemError) {
        var event = unsafe epoll_event(events: interest, data: epoll_data_t(u64: token))
        guard unsafe epoll_ctl(epoll.rawValue, operation, descriptor, &event) == 0 else {
            throw SystemError("epoll_ctl", apus_errno())
        }
    }

    /// Sleeps until an event or for `milliseconds` (-1: for ever, 0: not at all).
    /// - Returns: how many events the subscripts hold; 0 on timeout or signal.
    package borrowing func wait(milliseconds: CInt) throws(SystemError) -> Int {
        let count = unsafe epoll_wait(epoll.rawValue, ready.baseAddress, CInt(ready.count), milliseconds)
        if count >= 0 { return Int(count) }
        let code = apus_errno()
        guard code == EINTR else { throw SystemError("epoll_wait", code) }
        return 0  // the caller recomputes its deadline
    }

    /// The token of an event of the last wait.
    package func token(_ index: Int) -> UInt64 { unsafe ready[index].data.u64 }

    /// What happened in an event of the last wait.
    package func readiness(_ index: Int) -> Readiness { unsafe Readiness(ready[index].events) }
}
