// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
package import ProxyLink
import Synchronization
package import Telemetry

/// The taps that run: their filters go to the proxy, again for every new proxy and configuration, and what the proxy
/// reports goes to whoever asked.
package final class TapHub: Sendable {
    /// The most taps at a time: each costs the proxy a comparison per request.
    package static let maximumTaps = 16
    /// Events that wait for a slow reader; more are dropped and the reader is told how many.
    package static let bufferedEvents = 1024

    private let store: TelemetryStore
    private let counts: AgentCounts
    private let state = Mutex(State())

    private struct State {
        var taps: [UInt32: Tap] = [:]
        var lastID: UInt32 = 0
        var link: (any ProxyConnecting)?
        var isClosed = false
    }

    private struct Tap {
        var selector: TapSelector
        var continuation: AsyncStream<TapReport>.Continuation
        /// Left out since the last event that had room.
        var dropped: UInt64 = 0
    }

    package init(store: TelemetryStore, counts: AgentCounts) {
        self.store = store
        self.counts = counts
    }

    /// How many taps run.
    package var count: Int { state.withLock { $0.taps.count } }

    // MARK: Readers

    /// Starts a tap. It ends when the stream is cancelled or ``close(_:)`` is called.
    package func open(_ selector: TapSelector) throws(TapSelector.Refusal) -> (
        id: UInt32, events: AsyncStream<TapReport>
    ) {
        let directory = store.snapshot().directory
        let (events, continuation) = AsyncStream<TapReport>.makeStream(
            bufferingPolicy: .bufferingOldest(TapHub.bufferedEvents))
        let result = state.withLock { state -> Result<UInt32, TapSelector.Refusal> in
            guard !state.isClosed, state.taps.count < TapHub.maximumTaps else {
                return .failure(.init(text: "\(TapHub.maximumTaps) taps are running, the most there can be"))
            }
            let id = state.lastID &+ 1
            let filter: TapFilter
            do throws(TapSelector.Refusal) {
                filter = try selector.filter(id: id, in: directory)
            } catch { return .failure(error) }
            state.lastID = id
            state.taps[id] = Tap(selector: selector, continuation: continuation)
            state.link?.send(.tapStart(filter))
            return .success(id)
        }
        return (try result.get(), events)
    }

    /// Ends a tap.
    package func close(_ id: UInt32) {
        state.withLock { state in
            guard let tap = state.taps.removeValue(forKey: id) else { return }
            tap.continuation.finish()
            state.link?.send(.tapStop(id: id))
        }
    }

    /// Ends all taps and refuses new ones: the agent stops.
    package func closeAll() {
        state.withLock { state in
            state.isClosed = true
            for (id, tap) in state.taps {
                tap.continuation.finish()
                state.link?.send(.tapStop(id: id))
            }
            state.taps = [:]
        }
    }

    // MARK: The proxy

    /// A proxy is there: it is told all taps.
    func linkUp(_ link: any ProxyConnecting) {
        state.withLock { $0.link = link }
        configurationChanged()
    }

    func linkDown() { state.withLock { $0.link = nil } }

    /// Names may mean other pods now.
    package func configurationChanged() {
        let directory = store.snapshot().directory
        state.withLock { state in
            guard let link = state.link else { return }
            for (id, tap) in state.taps {
                // A tap whose pods are all gone is stopped, and starts again when they come back.
                if let filter = try? tap.selector.filter(id: id, in: directory) {
                    link.send(.tapStart(filter))
                } else {
                    link.send(.tapStop(id: id))
                }
            }
        }
    }

    /// Events from the proxy, in the order in which they happened.
    package func deliver(_ events: [TapEvent]) {
        let directory = store.snapshot().directory
        state.withLock { state in
            for event in events {
                guard var tap = state.taps[event.tap] else { continue }
                if tap.dropped > 0 {
                    let line = TapReport.dropped(tap.dropped, node: event.base)
                    if case .enqueued = tap.continuation.yield(line) { tap.dropped = 0 }
                }
                if tap.dropped == 0, case .enqueued = tap.continuation.yield(TapReport(event, directory)) {
                    counts.tapEventsSent.add(1)
                } else {
                    tap.dropped += 1
                    counts.tapEventsDropped.add(1)
                }
                state.taps[event.tap] = tap
            }
        }
    }
}

extension TapReport {
    /// A line that says how many events are missing before it.
    fileprivate static func dropped(_ count: UInt64, node base: UInt32) -> TapReport {
        var report = TapReport(
            kind: .dropped, base: base, stream: 0, direction: "", source: "", destination: "", tls: "")
        report.dropped = count
        return report
    }

    /// An event with names instead of identities.
    init(_ event: TapEvent, _ directory: Directory) {
        let kind: Kind =
            switch event.kind {
            case .request: .request
            case .response: .response
            case .end: .end
            case .open: .open
            case .close: .close
            case .dropped: .dropped
            }
        self.init(
            kind: kind, base: event.base, stream: event.stream, direction: event.direction.label,
            source: event.source.description, destination: event.destination.description, tls: event.security.label)
        let pod = directory.workload(event.pod)
        let isOutbound = event.direction == .outbound
        let peer =
            directory.workload(event.peer)
            ?? directory.workload(at: isOutbound ? event.destination.ip : event.source.ip)
        func describe(_ workload: Workload?) -> StatReport.Pod? {
            workload.map { .init($0, meshed: directory.isLocal($0.id) || $0.meshed) }
        }
        sourcePod = describe(isOutbound ? pod : peer)
        destinationPod = describe(isOutbound ? peer : pod)
        switch event.kind {
        case .request(let method, let authority, let path):
            (self.method, self.authority, self.path) = (method, authority, path)
        case .response(let status, let latency):
            (self.status, latencyMicroseconds) = (status, latency)
        case .end(let duration, let bytes, let failure, let grpcStatus, let resetCode):
            (durationMicroseconds, responseBytes, error) = (duration, bytes, failure?.rawValue)
            self.grpcStatus = GRPCStatus(rawValue: grpcStatus)?.rawValue
            self.resetCode = resetCode
        case .open: break
        case .close(let duration, let read, let written, let failure):
            (durationMicroseconds, readBytes, writeBytes, error) = (duration, read, written, failure?.rawValue)
        case .dropped(let count): dropped = count
        }
    }
}
