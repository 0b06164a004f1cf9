"""Every code that `drawloom check` can report, from the table that it uses."""

from __future__ import annotations

import re
from itertools import groupby

from drawloom.chains.rules import RULES
from pages.markdown import SOURCE, code, table

OPENING = """# Findings

`drawloom check` reports everything at once. Each finding has a code, a place
(file, line, column), an excerpt, and where it can a suggestion and a value that
proves it. Codes do not change; new ones are added.

"""


def page() -> str:
    parts = []
    for heading, codes in groupby(RULES, sections().__getitem__):
        rows = [[code(name), RULES[name]] for name in codes]
        parts.append(f"## {heading}\n\n{table(['code', 'what it means'], rows)}")
    return OPENING + "\n".join(parts)


def sections() -> dict[str, str]:
    """The heading under which each code stands in the source."""
    found, heading = {}, ""
    for line in (SOURCE / "chains/rules.py").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"    # (.+)", line):
            heading = match[1]
        elif match := re.match(r'    "([a-z0-9-]+)":', line):
            found[match[1]] = heading
    return found
