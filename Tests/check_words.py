#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Words are fixed once: in the data plane a peer is downstream or upstream, in every file the same."""
import pathlib, re, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BANNED = {
    "Sources/Proxy": r"\b(backend|frontend|[Cc]lient[A-Z]\w*Connection|serverConnection)\b",
    "Sources": r"\b(class|struct|enum|actor|protocol) \w+(Manager|Helper|Util|Impl)\b",
}
problems = []
for folder, pattern in BANNED.items():
    for path in sorted((ROOT / folder).rglob("*.swift")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.split("//")[0]
            for match in re.finditer(pattern, code):
                problems.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
for path in [*ROOT.glob("Sources/**/*.swift"), *ROOT.glob("Tests/**/*.swift"), *ROOT.glob("bpf/**/*.[ch]")]:
    first = path.read_text().splitlines()[:2]
    if not any("SPDX-License-Identifier" in line for line in first):
        problems.append(f"{path.relative_to(ROOT)}: no SPDX line")
for problem in problems:
    print(problem)
print(f"words: {'ok' if not problems else f'{len(problems)} wrong'}")
sys.exit(bool(problems))
