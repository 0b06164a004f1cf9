"""What is written to the terminal: data never as control sequences, tables that fit, one JSON."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# C0 and C1 controls, which terminals obey, and the marks that reorder text
# (Unicode TR36, section 2.3 "bidirectional text spoofing").
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_NEVER_BROKEN = 24  # columns
_WIDE = 2_000  # columns, where the output is no terminal and nobody said

STYLES = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "unknown": "bold magenta",
    "skipped": "dim",
    "running": "cyan",
    "resting": "yellow",
    "evaluating": "cyan",
    "waiting": "dim",
}


def shown(value: object, *, lines: bool = False) -> str:
    """*value* as text that a terminal only displays; one line unless *lines*."""
    text = _CONTROL.sub(_visible, str(value))
    return text if lines else text.replace("\n", "␊").replace("\t", " ")


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"\\u{code:04x}"


def console(*, error: bool = False) -> Console:
    """A console on stdout, or stderr: no markup, no highlighting, no wrapping in a pipe."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else _WIDE
    made = Console(stderr=error, markup=False, highlight=False, emoji=False, width=width)
    # A closed pipe is handled in one place, for all that is written.
    setattr(made, "on_broken_pipe", _pipe_closed)  # noqa: B010 - a method of the instance alone
    return made


def _pipe_closed() -> NoReturn:
    raise BrokenPipeError


def say(message: str) -> None:
    """One message to a person, on stderr."""
    console(error=True).print(shown(message, lines=True), soft_wrap=True)


def print_lines(text: str) -> None:
    """Lines on stdout, shown as they are but for control sequences."""
    sys.stdout.write(shown(text, lines=True) + "\n")


def print_json(value: Any) -> None:
    """The one JSON document of a `--json` command."""
    sys.stdout.write(json_text(value) + "\n")


def json_text(value: Any) -> str:
    """JSON with two spaces per level, in which no control character is left bare."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def json_line(value: Any) -> str:
    """JSON on one line, in which no control character is left bare."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stdout: cells are data, or `Text` where they have a style."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    cells = [[c if isinstance(c, Text) else Text(shown(c)) for c in row] for row in rows]
    first = max((len(row[0]) for row in cells), default=0)
    for index, heading in enumerate(headings):
        # What is copied from the first column (ids, names) is never broken, if it can be helped.
        least = min(first, _NEVER_BROKEN) if index == 0 else None
        table.add_column(heading, overflow="fold", min_width=least)
    for row in cells:
        table.add_row(*row)
    console().print(table)


def status_text(status: str) -> Text:
    """A status in its colour."""
    from rich.text import Text

    return Text(shown(status), style=STYLES.get(status, ""))


def duration(seconds: float | None) -> str:
    """A time that a person can read: `12 ms`, `3.4 s`, `2 min 5 s`, `1 h 3 min`."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int | None) -> str:
    """A number of bytes that a person can read: `812 B`, `3.4 kB`, `1.2 MB`."""
    if count is None:
        return ""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("there is no larger unit")


def counted(number: int, noun: str) -> str:
    """`1 item`, `2 items`: a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def instant(micros: int | None) -> str:
    """An instant (microseconds since 1970) in local time."""
    from datetime import datetime

    if micros is None:
        return ""
    return datetime.fromtimestamp(micros / 1_000_000).strftime("%Y-%m-%d %H:%M:%S")
