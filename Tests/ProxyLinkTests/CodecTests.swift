// SPDX-License-Identifier: Apache-2.0

import Addresses
import Model
import ProxyLink
import Telemetry
import Testing

@Suite struct CodecTests {
    static let pod = StableID(of: "uid")

    static let agentMessages: [AgentMessage] = [
        .configuration(version: 7), .listener(pod: pod, slot: 3, direction: .outbound),
        .sockets(pod: pod, ipv6: true, worker: 2), .withdraw(pod: pod),
        .tapStart(
            TapFilter(
                id: 1, pods: [pod, .none], direction: .inbound, method: "GET", authority: "a", pathPrefix: "/x",
                peers: [pod], maximumPerSecond: 9)),
        .tapStart(TapFilter(id: 2, pods: [])), .tapStop(id: 4), .collect(sequence: 5), .returnListeners,
        .drain(seconds: 30),
    ]

    static var proxyMessages: [ProxyMessage] {
        var http = HTTPSeriesDelta()
        http.requests = 3
        http.liveChange = -2
        http.responses = [
            .init(status: 200, isSuccess: true, count: 2, latencySumMs: 9, latencyMs: [BinCount(bin: 25, count: 2)]),
            .init(status: 200, grpcStatus: 14, isSuccess: false, count: 1, latencySumMs: 0, latencyMs: []),
        ]
        http.latency = [BinCount(bin: 0, count: 1), BinCount(bin: UInt16(LatencyBins.count - 1), count: 2)]
        http.overheadSumNanoseconds = 8
        var tcp = TCPSeriesDelta()
        tcp.opened = 1
        tcp.closed = [.init(errno: 104, count: 1)]
        let key = HTTPSeriesKey(
            pod: pod, direction: .inbound, peer: .none, service: pod, security: .local, authority: "a:80")
        let source = SocketAddress(.loopbackV6, 1)
        func tap(_ kind: TapEvent.Kind) -> TapEvent {
            TapEvent(
                tap: 1, base: 2, stream: 3, pod: pod, peer: .none, direction: .outbound, security: .none,
                source: source,
                destination: source, kind: kind)
        }
        return [
            .hello(version: 1, instance: 2, workers: 3), .applied(version: 4), .refused(version: 5, reason: "no"),
            .needSockets(pod: pod, ipv6: false, worker: 1, count: 16),
            .counters([
                .http(key, http),
                .tcp(
                    TCPSeriesKey(
                        pod: pod, direction: .outbound, side: .destination, peer: pod, service: .none, security: .mutual
                    ),
                    tcp), .failure(pod: pod, direction: .inbound, reason: .podLimit, count: 2),
                .processorTime(pod: pod, nanoseconds: 5), .worker(.spins, worker: 1, count: 6),
            ]),
            .collected(sequence: 6),
            .taps([
                tap(.request(method: "GET", authority: "a", path: "/")),
                tap(.response(status: 200, latencyMicroseconds: 1)),
                tap(.end(durationMicroseconds: 1, responseBytes: 2, failure: .upstreamReset)), tap(.open),
                tap(.end(durationMicroseconds: 1, responseBytes: 2, failure: nil, grpcStatus: 16)),
                tap(
                    .end(
                        durationMicroseconds: 1, responseBytes: 2, failure: .requestCancelled, grpcStatus: 1,
                        resetCode: .max)),
                tap(.close(durationMicroseconds: 1, readBytes: 2, writtenBytes: 3, failure: nil)), tap(.dropped(4)),
            ]),
            .listener(pod: pod, slot: 1, direction: .inbound), .listenersReturned, .log(level: .warning, text: "x"),
        ]
    }

    @Test("what is written is read", arguments: agentMessages)
    func agent(message: AgentMessage) throws {
        #expect(try AgentMessage(decoding: message.encoded()) == message)
    }

    @Test("what the proxy writes is read", arguments: proxyMessages)
    func proxy(message: ProxyMessage) throws {
        #expect(try ProxyMessage(decoding: message.encoded()) == message)
    }

    @Test("a cut message never passes for a whole one of the same kind, and never traps")
    func truncated() {
        for message in Self.agentMessages {
            let bytes = message.encoded()
            for length in 0..<bytes.count {
                #expect((try? AgentMessage(decoding: Array(bytes[..<length]))) == nil)
            }
            #expect((try? AgentMessage(decoding: bytes + [0])) == nil)
        }
        for message in Self.proxyMessages {
            let bytes = message.encoded()
            for length in 0..<bytes.count {
                // A list of events cut between two of them is a shorter list.
                #expect((try? ProxyMessage(decoding: Array(bytes[..<length]))) != message)
            }
        }
    }

    @Test("a gRPC status that is none of the seventeen is refused: it would become a label", arguments: [17, 254])
    func foreignStatus(code: UInt8) {
        var delta = HTTPSeriesDelta()
        delta.responses = [
            .init(status: 200, grpcStatus: code, isSuccess: true, count: 1, latencySumMs: 0, latencyMs: [])
        ]
        let key = HTTPSeriesKey(
            pod: Self.pod, direction: .inbound, peer: .none, service: .none, security: .none, authority: "")
        let message = ProxyMessage.counters([.http(key, delta)]).encoded()
        #expect(throws: MalformedMessage.self) { try ProxyMessage(decoding: message) }
    }

    @Test("no bytes trap, and none make the reader reserve what they only claim", arguments: 0..<8)
    func noise(seed: UInt64) {
        var random = SplitMix(state: seed)
        for _ in 0..<20_000 {
            var bytes = (Self.proxyMessages.randomElement(using: &random) ?? .listenersReturned).encoded()
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? ProxyMessage(decoding: bytes)
            _ = try? AgentMessage(decoding: bytes)
            _ = try? NodeState(decoding: bytes)
        }
    }

    @Test("a node's state comes back but for what only the agent needs")
    func state() throws {
        var pod = LocalPod(
            workload: Workload(
                uid: "u", namespace: "n", name: "p", owner: .init(.deployment, "d"), node: "x",
                addresses: [.loopbackV4, .loopbackV6]), networkNamespacePath: "",
            opaquePorts: PortSet([25...25, 10...20]),
            skipOutboundPorts: PortSet([1...1]), policy: .deny, connectionLimit: 5)
        pod.failOpen = false
        let state = NodeState(
            node: "x", meshedRanges: [IPPrefix("10.0.0.0/8"), IPPrefix("fd00::/8")].compactMap { $0 }, pods: [pod],
            workloads: [Workload(uid: "v", namespace: "n", name: "q", meshed: false)],
            services: [
                Service(
                    namespace: "n", name: "s", addresses: [.loopbackV4],
                    ports: [
                        .init(
                            name: "http", port: 80, opaque: true,
                            endpoints: [Endpoint(SocketAddress(.loopbackV6, 8080), ready: false)])
                    ])
            ])
        #expect(try NodeState(decoding: state.encoded()) == state)
        let bytes = state.encoded()
        for length in 0..<bytes.count { #expect((try? NodeState(decoding: Array(bytes[..<length]))) == nil) }
    }
}

/// A generator whose seed is the test's argument, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
