// SPDX-License-Identifier: Apache-2.0

import Glibc
import Proxy

/// The proxy's command line. Its only user is the agent, so it is parsed by hand: the proxy links no package.
enum CommandLineOptions {
    static let usage = """
        usage: apus-proxy --link-fd N [--workers N] [--user UID] [--root DIR] [--no-spin] [--tap-base N]

        Moves the bytes of a node's pods. Started by apus-agent, which passes a listening Unix socket as descriptor N
        and connects to it; not meant to be started by hand.

          --link-fd N    the listening socket
          --workers N    threads; default: one per processor, at most 4
          --user UID     user to become when started as root; default 15001
          --root DIR     empty directory to change the root to; default /var/empty
          --no-spin      sleep at once instead of looking for events a little longer
          --tap-base N   first half of the ids in taps

        """

    static func run() -> CInt {
        var options = ProxyProcess.Options()
        var arguments = CommandLine.arguments.dropFirst()
        while let name = arguments.popFirst() {
            switch name {
            case "--no-spin": options.spins = false
            case "--root":
                guard let value = arguments.popFirst() else { return refuse("\(name) needs a value") }
                options.root = value
            case "--link-fd", "--workers", "--user", "--tap-base":
                guard let value = arguments.popFirst(), let number = UInt32(value) else {
                    return refuse("\(name) needs a number")
                }
                switch name {
                case "--link-fd": options.linkDescriptor = CInt(bitPattern: number)
                case "--workers": options.workers = Int(min(number, 256))
                case "--user": options.user = number
                default: options.tapBase = number
                }
            case "--help":
                print(usage)
                return 0
            default: return refuse("unknown option \(name)")
            }
        }
        guard options.linkDescriptor >= 0 else { return refuse("--link-fd is missing") }
        return ProxyProcess.run(options)
    }

    private static func refuse(_ reason: String) -> CInt {
        let text = "apus-proxy: \(reason)\n\(usage)"
        _ = text.withCString { write(2, $0, strlen($0)) }
        return 64
    }
}
