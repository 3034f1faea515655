// SPDX-License-Identifier: Apache-2.0

/// How long to wait before a program that died is started again: not at all, unless it keeps dying.
struct CrashBudget {
    /// So many deaths within ``windowSeconds`` are taken for bad luck.
    static let free = 3
    static let windowSeconds = 10.0
    /// The longest wait.
    static let maximumSeconds = 8.0

    private var deaths: [Double] = []
    private var wait = 0.0

    /// Notes a death; returns the seconds to wait.
    mutating func died(at now: Double) -> Double {
        deaths.removeAll { now - $0 > CrashBudget.windowSeconds }
        deaths.append(now)
        if deaths.count < CrashBudget.free {
            wait = 0
        } else {
            wait = wait == 0 ? 1 : min(wait * 2, CrashBudget.maximumSeconds)
        }
        return wait
    }
}
