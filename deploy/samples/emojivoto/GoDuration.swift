// SPDX-License-Identifier: Apache-2.0

/// Durations as Go writes them: `50ms`, `1.5s`, `2m30s`, `1h`, `0`.
enum GoDuration {
    private static let units: [(name: String, seconds: Double)] = [
        ("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600),
    ]

    /// `nil` if the text is no duration, or a negative one.
    static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        var rest = Substring(text)
        var seconds = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !$0.isNumber }
            guard let unit = units.first(where: { $0.name == name }) else { return nil }
            rest = rest.dropFirst(name.count)
            seconds += number * unit.seconds
        }
        // Within this, seconds as a Double have a Duration.
        return seconds <= 1e9 ? .seconds(seconds) : nil
    }
}
