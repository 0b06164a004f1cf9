"""The list of decision records, by their own titles."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[3] / "docs/decisions"

OPENING = """# Decisions

One page each: the context, the choice, what was rejected, and what follows.
A decision is not edited when it is overtaken. It gets the status *superseded*
and a link to the one that replaces it. [The template](0000-template.md) is
short on purpose.

"""


def page() -> str:
    records = [p for p in sorted(FOLDER.glob("[0-9]*.md")) if not p.name.startswith("0000")]
    return OPENING + "\n".join(f"- [{title(record)}]({record.name})" for record in records)


def title(record: Path) -> str:
    """The heading of one record, `0001: The choice in one line`."""
    return record.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
