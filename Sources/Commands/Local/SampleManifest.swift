// SPDX-License-Identifier: Apache-2.0

import Foundation
import LocalCluster

/// The sample application's manifest: in the source tree, or where it is installed.
enum SampleManifest {
    /// Its path. Looks in the current directory, beside the installed program, and up from the program to the source
    /// tree that it was built in.
    static func find() throws -> String {
        let name = "deploy/samples/emojivoto.yml"
        var candidates = [name, "\(ClusterControl.programDirectory)/../share/apus/samples/emojivoto.yml"]
        var directory = URL(fileURLWithPath: ClusterControl.programDirectory)
        for _ in 0..<5 {
            directory.deleteLastPathComponent()
            candidates.append(directory.appendingPathComponent(name).path)
        }
        guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            throw ClusterError(
                "the sample application is not at \(name): run this in the source tree, or `apus local up -f FILE`")
        }
        return found
    }
}
