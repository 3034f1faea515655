// SPDX-License-Identifier: Apache-2.0

import FuzzOracles

@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt { Oracle.detect.fuzz(start, count) }
