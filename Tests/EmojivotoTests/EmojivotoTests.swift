// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import Testing

@testable import emojivoto

@Suite("The sample")
struct EmojivotoTests {
    @Test("every emoji has a method of its own, and every method an emoji")
    func methods() {
        #expect(Emoji.listed.count == 99 && Emoji.all.count == 100)
        let methods = Emoji.all.compactMap { VotingService.method($0)?.method }
        #expect(Set(methods).count == 100)
        let declared = VotingService.Methods.descriptors.map(\.method)
        #expect(Set(declared) == Set(methods).union(["Results", "WatchResults"]))
    }

    @Test(
        "durations are read as Go reads them",
        arguments: [
            ("50ms", .milliseconds(50)), ("1.5s", .milliseconds(1500)), ("2m30s", .seconds(150)),
            ("1h", .seconds(3600)),
            ("100us", .microseconds(100)), ("100µs", .microseconds(100)), ("0", .zero), ("0s", .zero),
        ] as [(String, Duration)])
    func durations(_ text: String, _ duration: Duration) {
        #expect(GoDuration.parse(text) == duration)
    }

    @Test("what Go would not read", arguments: ["", "5", "-1s", "1", "s", "1d", "1s2", "1..5s", ".5", "1e3s", "1e99h"])
    func notDurations(_ text: String) {
        #expect(GoDuration.parse(text) == nil)
    }

    @Test("a watcher gets everything first, then what changed, however slowly it reads")
    func watching() async {
        let poll = Poll()
        await poll.vote(":joy:")
        let (changes, end) = await poll.watch()
        var reader = changes.makeAsyncIterator()
        #expect(await reader.next() != nil)
        var (results, version) = await poll.changes(since: 0)
        #expect(results == [.init(shortcode: ":joy:", votes: 1)])
        for _ in 0..<3 { await poll.vote(":ghost:") }
        #expect(await reader.next() != nil)
        (results, version) = await poll.changes(since: version)
        #expect(results == [.init(shortcode: ":ghost:", votes: 3)])
        end()
        #expect(await reader.next() == nil, "three votes were one element")
        #expect(await poll.results.map(\.shortcode) == [":ghost:", ":joy:"])
    }
}
