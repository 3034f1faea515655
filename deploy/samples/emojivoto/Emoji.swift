// SPDX-License-Identifier: Apache-2.0

/// One thing to vote for.
struct Emoji: Codable, Sendable {
    /// `:doughnut:`
    var shortcode: String
    var unicode: String

    /// `Doughnut`: the end of the path to vote for it. One path each, so that numbers by path find the one that fails.
    var methodName: String { Emoji.methodName(shortcode) }

    static func methodName(_ shortcode: String) -> String {
        shortcode.split(separator: "_").map { part in
            let letters = part.filter { $0 != ":" }
            return letters.prefix(1).uppercased() + letters.dropFirst()
        }.joined()
    }

    private init(_ name: String, _ unicode: String) {
        shortcode = ":\(name):"
        self.unicode = unicode
    }

    /// What the list shows: 99.
    static let listed: [Emoji] = names.map { Emoji($0.0, $0.1) }

    /// What can be voted for: 100, since one is not listed.
    static let all: [Emoji] = listed + [Emoji("poop", "💩")]

    private static let names: [(String, String)] = [
        ("joy", "😂"), ("sunglasses", "😎"), ("doughnut", "🍩"), ("stuck_out_tongue_winking_eye", "😜"),
        ("money_mouth_face", "🤑"), ("flushed", "😳"), ("mask", "😷"), ("nerd_face", "🤓"), ("ghost", "👻"),
        ("skull_and_crossbones", "☠️"), ("heart_eyes_cat", "😻"), ("hear_no_evil", "🙉"), ("see_no_evil", "🙈"),
        ("speak_no_evil", "🙊"), ("boy", "👦"), ("girl", "👧"), ("man", "👨"), ("woman", "👩"), ("older_man", "👴"),
        ("policeman", "👮"), ("guardsman", "💂"), ("construction_worker", "👷"), ("prince", "🤴"),
        ("princess", "👸"), ("man_in_tuxedo", "🤵"), ("santa", "🎅"), ("mrs_claus", "🤶"), ("zombie", "🧟"),
        ("runner", "🏃"), ("dancer", "💃"), ("skier", "⛷️"), ("surfer", "🏄"), ("clap", "👏"), ("wave", "👋"),
        ("ok_hand", "👌"), ("thumbsup", "👍"), ("pray", "🙏"), ("muscle", "💪"), ("eyes", "👀"), ("brain", "🧠"),
        ("crown", "👑"), ("tophat", "🎩"), ("ring", "💍"), ("cat", "🐱"), ("dog", "🐶"), ("fox", "🦊"),
        ("bear", "🐻"), ("panda", "🐼"), ("koala", "🐨"), ("tiger", "🐯"), ("lion", "🦁"), ("cow", "🐮"),
        ("pig", "🐷"), ("frog", "🐸"), ("monkey", "🐵"), ("chicken", "🐔"), ("penguin", "🐧"), ("bird", "🐦"),
        ("owl", "🦉"), ("bee", "🐝"), ("butterfly", "🦋"), ("snail", "🐌"), ("turtle", "🐢"), ("octopus", "🐙"),
        ("whale", "🐳"), ("dolphin", "🐬"), ("fish", "🐟"), ("cactus", "🌵"), ("evergreen_tree", "🌲"),
        ("four_leaf_clover", "🍀"), ("mushroom", "🍄"), ("sunflower", "🌻"), ("rainbow", "🌈"), ("snowman", "⛄"),
        ("fire", "🔥"), ("ocean", "🌊"), ("apple", "🍎"), ("banana", "🍌"), ("strawberry", "🍓"), ("pizza", "🍕"),
        ("hamburger", "🍔"), ("taco", "🌮"), ("burrito", "🌯"), ("sushi", "🍣"), ("cookie", "🍪"), ("coffee", "☕"),
        ("beer", "🍺"), ("champagne", "🍾"), ("soccer", "⚽"), ("basketball", "🏀"), ("guitar", "🎸"),
        ("rocket", "🚀"), ("airplane", "✈️"), ("bicycle", "🚲"), ("train", "🚆"), ("house", "🏠"), ("bulb", "💡"),
        ("gift", "🎁"), ("balloon", "🎈"),
    ]
}
