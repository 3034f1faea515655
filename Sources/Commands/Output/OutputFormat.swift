// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `-o`: how `stat` shows its numbers.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
    case table, wide, json
}
