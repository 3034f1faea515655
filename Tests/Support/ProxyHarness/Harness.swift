// SPDX-License-Identifier: Apache-2.0

// A stand-in for the agent, for tests and benchmarks of apus-proxy alone: no namespaces, no eBPF. It listens on loopback,
// calls the listener's own address a service, and hands out ordinary sockets. One line of JSON a second on standard output
// tells what the proxy counted; taps print their events.

import Addresses
import Glibc
import Kernel
import Model
import ProxyLink
import Telemetry

enum Harness {
    struct Options {
        var proxy = ""
        var listen: [SocketAddress] = []
        var endpoints: [SocketAddress] = []
        var proxyArguments: [String] = []
        var opaque = false
        var tap = false
        var quiet = false
        var inbound = false
        var policy = InboundPolicy.allUnauthenticated
        var connectionLimit = LocalPod.defaultConnectionLimit
        /// How long the stand-in takes to make sockets, in milliseconds.
        var socketDelay: UInt32 = 0
        /// Seconds between two collections of counters.
        var collectSeconds: UInt64 = 1
    }

    static func run() -> CInt {
        guard let options = parse() else {
            print(
                "usage: proxy-harness --proxy PATH --listen ADDR:PORT --endpoint ADDR:PORT... [--workers N] [--no-spin] "
                    + "[--opaque] [--inbound] [--policy P] [--connection-limit N] [--collect SECONDS] [--socket-delay MS] "
                    + "[--tap] [--quiet]\nstandard input: `drain SECONDS`; its end is the end of the proxy"
            )
            return 64
        }
        do {
            var session = try Session(options)
            return try session.serve()
        } catch {
            print("proxy-harness: \(error)")
            return 1
        }
    }

    private static func parse() -> Options? {
        var options = Options()
        var arguments = CommandLine.arguments.dropFirst()
        while let name = arguments.popFirst() {
            switch name {
            case "--opaque": options.opaque = true
            case "--inbound": options.inbound = true
            case "--tap": options.tap = true
            case "--quiet": options.quiet = true
            case "--no-spin": options.proxyArguments.append(name)
            default:
                guard let value = arguments.popFirst() else { return nil }
                switch name {
                case "--proxy": options.proxy = value
                case "--workers", "--user": options.proxyArguments += [name, value]
                case "--listen":
                    guard let address = SocketAddress(value) else { return nil }
                    options.listen.append(address)
                case "--endpoint":
                    guard let address = SocketAddress(value) else { return nil }
                    options.endpoints.append(address)
                case "--policy":
                    guard let policy = InboundPolicy(rawValue: value) else { return nil }
                    options.policy = policy
                case "--socket-delay":
                    guard let milliseconds = UInt32(value) else { return nil }
                    options.socketDelay = milliseconds
                case "--collect":
                    guard let seconds = UInt64(value) else { return nil }
                    options.collectSeconds = seconds
                case "--connection-limit":
                    guard let limit = Int(value) else { return nil }
                    options.connectionLimit = limit
                default: return nil
                }
            }
        }
        return options.proxy.isEmpty || options.listen.isEmpty ? nil : options
    }
}
