// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// How far back to look: `10s`, `1m`, `2m30s`.
struct Window: ExpressibleByArgument, Hashable, Sendable {
    let seconds: Int

    static let oneMinute = Window(seconds: 60)

    private init(seconds: Int) { self.seconds = seconds }

    init?(argument: String) {
        var total = 0
        var digits = ""
        for character in argument {
            if character.isASCII, character.isNumber {
                digits.append(character)
                continue
            }
            guard let number = Int(digits), number <= 86_400 else { return nil }
            switch character {
            case "s": total += number
            case "m": total += number * 60
            case "h": total += number * 3600
            default: return nil
            }
            digits = ""
        }
        guard digits.isEmpty, !argument.isEmpty else { return nil }
        seconds = total
    }

    var defaultValueDescription: String { "\(seconds / 60)m" }
}
