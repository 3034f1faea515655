// SPDX-License-Identifier: Apache-2.0

package import Model
package import Telemetry

/// What the proxy tells the agent. Everything in it is a claim by a process that parses strangers' bytes: the agent
/// bounds it and never acts on it with more rights than the pods that the proxy serves.
package enum ProxyMessage: Equatable, Sendable {
    /// The first message on a new link. `instance` differs between any two starts of a proxy.
    case hello(version: UInt32, instance: UInt64, workers: UInt16)
    /// The configuration of that version is what every worker now uses.
    case applied(version: UInt64)
    /// The configuration of that version could not be read; the one before it goes on.
    case refused(version: UInt64, reason: String)
    case needSockets(pod: StableID, ipv6: Bool, worker: UInt16, count: UInt16)
    /// Deltas since the last collection.
    case counters([CounterDelta])
    /// All deltas of a collection have been sent.
    case collected(sequence: UInt64)
    case taps([TapEvent])
    /// One listener (one descriptor), the answer to ``AgentMessage/returnListeners``.
    case listener(pod: StableID, slot: UInt32, direction: Direction)
    /// All listeners have been returned.
    case listenersReturned
    case log(level: LogLevel, text: String)

    package enum LogLevel: UInt8, Sendable {
        case debug = 0
        case info, notice, warning, error
    }
}

extension ProxyMessage {
    package enum Kind: UInt8 {
        case hello = 1
        case applied, refused, needSockets, counters, collected, taps, listener, listenersReturned, log
    }

    package func encoded() -> [UInt8] {
        var writer = MessageWriter()
        switch self {
        case .hello(let version, let instance, let workers):
            writer.write(Kind.hello.rawValue)
            writer.write(version)
            writer.write(instance)
            writer.write(workers)
        case .applied(let version):
            writer.write(Kind.applied.rawValue)
            writer.write(version)
        case .refused(let version, let reason):
            writer.write(Kind.refused.rawValue)
            writer.write(version)
            writer.write(reason)
        case .needSockets(let pod, let ipv6, let worker, let count):
            writer.write(Kind.needSockets.rawValue)
            writer.write(pod)
            writer.write(ipv6)
            writer.write(worker)
            writer.write(count)
        case .counters(let deltas):
            writer.write(Kind.counters.rawValue)
            for delta in deltas { delta.encode(into: &writer) }
        case .collected(let sequence):
            writer.write(Kind.collected.rawValue)
            writer.write(sequence)
        case .taps(let events):
            writer.write(Kind.taps.rawValue)
            for event in events { event.encode(into: &writer) }
        case .listener(let pod, let slot, let direction):
            writer.write(Kind.listener.rawValue)
            writer.write(pod)
            writer.write(slot)
            writer.write(direction.rawValue)
        case .listenersReturned:
            writer.write(Kind.listenersReturned.rawValue)
        case .log(let level, let text):
            writer.write(Kind.log.rawValue)
            writer.write(level.rawValue)
            writer.write(text)
        }
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MalformedMessage) {
        var reader = MessageReader(bytes)
        switch try reader.readCase(Kind.self) {
        case .hello:
            let version: UInt32 = try reader.read()
            let instance: UInt64 = try reader.read()
            self = .hello(version: version, instance: instance, workers: try reader.read())
        case .applied: self = .applied(version: try reader.read())
        case .refused:
            let version: UInt64 = try reader.read()
            self = .refused(version: version, reason: try reader.readText())
        case .needSockets:
            let pod = try reader.readID()
            let ipv6 = try reader.readBool()
            let worker: UInt16 = try reader.read()
            self = .needSockets(pod: pod, ipv6: ipv6, worker: worker, count: try reader.read())
        case .counters:
            var deltas: [CounterDelta] = []
            while !reader.isAtEnd { deltas.append(try CounterDelta(decoding: &reader)) }
            self = .counters(deltas)
        case .collected: self = .collected(sequence: try reader.read())
        case .taps:
            var events: [TapEvent] = []
            while !reader.isAtEnd { events.append(try TapEvent(decoding: &reader)) }
            self = .taps(events)
        case .listener:
            let pod = try reader.readID()
            let slot: UInt32 = try reader.read()
            self = .listener(pod: pod, slot: slot, direction: try reader.readCase())
        case .listenersReturned: self = .listenersReturned
        case .log:
            let level = try reader.readCase(LogLevel.self)
            self = .log(level: level, text: try reader.readText())
        }
        try reader.requireEnd()
    }
}
