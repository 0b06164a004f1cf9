"""Write the reference pages from the code itself: `python tools/reference [--check]`.

With `--check` nothing is written; the exit code is 1 if a page is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from pages import chain, commands, decisions, failures, findings, settings, steps, tools

DOCS = Path(__file__).parents[2] / "docs"
NOTE = (
    "<!-- Written by tools/reference from the code. Change the code, then run `make docs`. -->\n\n"
)

PAGES: dict[str, Callable[[], str]] = {
    "decisions/index.md": decisions.page,
    "reference/chain.md": chain.page,
    "reference/cli.md": commands.page,
    "reference/failures.md": failures.page,
    "reference/findings.md": findings.page,
    "reference/settings.md": settings.page,
    "reference/steps.md": steps.page,
    "reference/tools/index.md": tools.index,
}


def written() -> Iterator[tuple[str, str]]:
    """Each page's path below `docs/`, and its text."""
    for name, page in PAGES.items():
        yield name, NOTE + tidy(page())
    for name, text in tools.pages():
        yield f"reference/tools/{name}.md", NOTE + tidy(text)


def tidy(text: str) -> str:
    """With one empty line where there are several, and a line's end at the end."""
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def stale() -> list[str]:
    """Pages that are missing, out of date, or no longer generated."""
    expected = dict(written())
    found = {
        str(path.relative_to(DOCS)): path.read_text(encoding="utf-8")
        for path in DOCS.rglob("*.md")
        if path.read_text(encoding="utf-8").startswith(NOTE[:30])
    }
    return sorted(n for n in expected | found if expected.get(n) != found.get(n))


def write() -> None:
    """Write every page, and remove those that are no longer generated."""
    expected = dict(written())
    for name in stale():
        path = DOCS / name
        if name not in expected:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(expected[name], encoding="utf-8")
        print(f"wrote {path.relative_to(DOCS.parent)}")


def main(*arguments: str) -> int:
    """Write, or with `--check` only compare."""
    if "--check" not in arguments:
        write()
        return 0
    old = stale()
    for name in old:
        print(f"docs/{name} is out of date; run `make docs`")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
