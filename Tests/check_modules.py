#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that imports point down, never up (DESIGN section 4), and names the edge that does not."""
import pathlib, re, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SYSTEM = {"Glibc", "Synchronization"}
# Module: what it may import besides SYSTEM. Packages are named by their modules.
ALLOWED = {
    "Addresses": set(),
    "Kernel": {"CLinux", "Addresses"},
    "BPF": {"CLibBPF"},
    "Wire": set(),
    "Model": {"Addresses"},
    "Telemetry": {"Addresses"},
    "Routing": {"Addresses", "Model"},
    "Redirect": {"CApusABI", "BPF", "Kernel", "Addresses"},
    "ProxyLink": {"Kernel", "Addresses", "Model", "Telemetry"},
    "Proxy": {"Kernel", "Addresses", "Wire", "Model", "Telemetry", "Routing", "ProxyLink"},
    "apus-proxy": {"Proxy"},
    "Agent": {"Redirect", "ProxyLink", "Model", "Telemetry", "Kernel", "Addresses", "Foundation", "Logging",
              "ServiceLifecycle", "UnixSignals", "Yams", "Hummingbird", "NIOCore", "HTTPTypes", "Dispatch"},
    "LocalCluster": {"Model", "Kernel", "Addresses", "Telemetry", "Foundation", "Logging", "Yams", "Dispatch"},
    "Commands": {"LocalCluster", "Telemetry", "Model", "Addresses", "Foundation", "Logging", "ArgumentParser",
                 "AsyncHTTPClient", "NIOCore", "NIOHTTP1", "NIOFoundationCompat", "Dispatch"},
    "apus": {"Commands", "ArgumentParser"},
    "apus-agent": {"Agent", "Foundation", "Logging", "ServiceLifecycle", "ArgumentParser"},
    "TestSupport": {"Kernel", "Addresses", "Foundation", "Testing"},
}
C_MODULES = {"CLinux": "Kernel", "CLibBPF": "BPF", "CApusABI": "Redirect"}
IMPORT = re.compile(r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:package |public |internal |private |fileprivate )?import (?:\w+ )?(\w+)")

problems = []
for directory in sorted((ROOT / "Sources").iterdir()):
    files = sorted(directory.rglob("*.swift"))
    if files and directory.name not in ALLOWED:
        problems.append(f"Sources/{directory.name}: not in the table of {pathlib.Path(__file__).name}")
        continue
    for path in files:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = IMPORT.match(line)
            if not match or match[1] in SYSTEM:
                continue
            if match[1] not in ALLOWED[directory.name]:
                problems.append(f"{path.relative_to(ROOT)}:{number}: {directory.name} must not import {match[1]}")
            elif C_MODULES.get(match[1], directory.name) != directory.name:
                problems.append(f"{path.relative_to(ROOT)}:{number}: only {C_MODULES[match[1]]} imports {match[1]}")

for problem in problems:
    print(problem)
print(f"module edges: {'ok' if not problems else f'{len(problems)} wrong'}")
sys.exit(bool(problems))
