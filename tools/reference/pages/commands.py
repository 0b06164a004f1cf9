"""The command line, as it describes itself."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from unittest.mock import patch

from drawloom.cli.ending import execute

OPENING = """# The command line

Each command as its `--help` describes it.

"""


def page() -> str:
    with patch.dict(os.environ, {"COLUMNS": "90", "NO_COLOR": "1", "TERM": "dumb"}):
        return OPENING + "\n".join(sections())


def sections(*words: str) -> Iterator[str]:
    """One section for the command that *words* name, and one for each below it."""
    text = described(words)
    yield f"{'#' * (2 + len(words))} drawloom {' '.join(words)}".rstrip()
    yield f"\n```text\n{text}\n```\n"
    listed = text.partition("\nCommands:\n")[2]
    for name in re.findall(r"^  ([a-z][a-z-]*): ", listed, re.MULTILINE):
        yield from sections(*words, name)


def described(words: tuple[str, ...]) -> str:
    """What `--help` prints."""
    out = io.StringIO()
    with redirect_stdout(out):
        code = execute([*words, "--help"])
    assert code == 0, f"drawloom {' '.join(words)} --help ended with {code}"
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())
