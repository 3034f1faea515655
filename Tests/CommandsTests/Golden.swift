// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Texts that must stay as they are: `Golden/NAME` beside this file. `APUS_UPDATE_GOLDEN=1 swift test` writes them.
enum Golden {
    static func expect(_ text: String, _ name: String, at place: SourceLocation = #_sourceLocation) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/\(name)")
        if ProcessInfo.processInfo.environment["APUS_UPDATE_GOLDEN"] != nil {
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(text == expected, "Golden/\(name) differs", sourceLocation: place)
    }
}
