// SPDX-License-Identifier: Apache-2.0

package import BPF
package import Kernel

/// Why interception could not do what it was asked.
package enum RedirectError: Error {
    /// libbpf or the kernel's BPF refused.
    case bpf(String, BPFError)
    /// A system call failed.
    case system(String, SystemError)
    /// The pod's description cannot be enrolled as it is.
    case invalidPod(String)
    /// Every slot is taken.
    case tooManyPods(limit: Int)
    /// The pod is not enrolled.
    case notEnrolled(uid: String)
    /// Something about this machine.
    case environment(String)
}

extension RedirectError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .bpf(let what, let error): "\(what): \(error)"
        case .system(let what, let error): "\(what): \(error)"
        case .invalidPod(let why): "this pod cannot be enrolled: \(why)"
        case .tooManyPods(let limit): "this node has \(limit) enrolled pods, which is the most interception can hold"
        case .notEnrolled(let uid): "pod \(uid) is not enrolled"
        case .environment(let what): what
        }
    }

    /// Runs `body` and says of a failure what it was doing.
    static func during<Result: ~Copyable>(
        _ what: @autoclosure () -> String, _ body: () throws -> Result
    ) throws(RedirectError) -> Result {
        do {
            return try body()
        } catch let error as BPFError {
            throw .bpf(what(), error)
        } catch let error as SystemError {
            throw .system(what(), error)
        } catch let error as RedirectError {
            throw error
        } catch {
            throw .environment("\(what()): \(error)")
        }
    }
}
