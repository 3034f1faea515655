// SPDX-License-Identifier: Apache-2.0

import FuzzOracles
import Wire

func parseRequest(_ bytes: some Collection<UInt8>) -> Outcome<RequestHead> {
    let bytes = Array(bytes)
    return Outcome(request: bytes.span)
}

func parseResponse(_ bytes: some Collection<UInt8>, answering method: Method = .get) -> Outcome<ResponseHead> {
    let bytes = Array(bytes)
    return Outcome(response: bytes.span, answering: method)
}

func parseRequest(_ text: String) -> Outcome<RequestHead> { parseRequest(Array(text.utf8)) }

func parseResponse(_ text: String, answering method: Method = .get) -> Outcome<ResponseHead> {
    parseResponse(Array(text.utf8), answering: method)
}

/// Feeds `pieces` one after the other until the body ends or is refused.
func decode(_ pieces: [ArraySlice<UInt8>]) -> Decoded {
    let bytes = pieces.flatMap(\.self)
    var cuts: [Int] = []
    for piece in pieces { cuts.append((cuts.last ?? 0) + piece.count) }
    return Decoded(bytes.span, cutAt: cuts)
}

func decode(_ text: String) -> Decoded { decode([Array(text.utf8)[...]]) }
