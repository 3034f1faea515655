// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The names of the errors that end connections, as Linkerd writes them in the `errno` label.
enum ErrnoName {
    private static let names: [Int32: String] = [
        EPERM: "EPERM", EINTR: "EINTR", EIO: "EIO", EBADF: "EBADF", EAGAIN: "EAGAIN", ENOMEM: "ENOMEM",
        EACCES: "EACCES", EINVAL: "EINVAL", EMFILE: "EMFILE", EPIPE: "EPIPE", EPROTO: "EPROTO",
        EADDRINUSE: "EADDRINUSE", EADDRNOTAVAIL: "EADDRNOTAVAIL", ENETDOWN: "ENETDOWN", ENETUNREACH: "ENETUNREACH",
        ECONNABORTED: "ECONNABORTED", ECONNRESET: "ECONNRESET", ENOBUFS: "ENOBUFS", ENOTCONN: "ENOTCONN",
        ETIMEDOUT: "ETIMEDOUT", ECONNREFUSED: "ECONNREFUSED", EHOSTDOWN: "EHOSTDOWN", EHOSTUNREACH: "EHOSTUNREACH",
        ECANCELED: "ECANCELED",
    ]

    /// `ECONNRESET`, or the number for an error that nobody expects.
    static func of(_ errno: Int32) -> String { names[errno] ?? "\(errno)" }
}
