// SPDX-License-Identifier: Apache-2.0

import Glibc
import Proxy

exit(CommandLineOptions.run())
