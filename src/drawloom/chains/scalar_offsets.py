"""Where in the written form of a text (quoted, folded, a block) one of its characters stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)


def written_at(written: str, offset: int) -> int:
    """The offset in *written*, a YAML or JSON scalar, of character *offset* of its value.

    Exact for every style but a block that is folded round more-indented lines,
    where it may be a few characters off.
    """
    style = written[:1]
    if style in ("|", ">"):
        header = written.find("\n")
        return header + 1 + _block(written[header + 1 :], offset, folded=style == ">")
    if style == '"':
        return 1 + _nth(_double(written[1:-1]), offset)
    if style == "'":
        return 1 + _nth(_single(written[1:-1]), offset)
    return _nth(_plain(written), offset)


def _nth(characters: Iterator[int], offset: int) -> int:
    last = 0
    for count, at in enumerate(characters):
        last = at
        if count == offset:
            return at
    return last + 1


def _plain(text: str) -> Iterator[int]:
    """Where each character of the value is written; a fold counts as the one space it becomes."""
    at = 0
    while at < len(text):
        fold = _FOLD.match(text, at)
        if fold is None:
            yield at
            at += 1
            continue
        for _ in range(max(fold[0].count("\n") - 1, 1)):
            yield at
        at = fold.end()


_FOLD = re.compile(r"[ \t]*\r?\n\s*")


def _single(text: str) -> Iterator[int]:
    skip = -1
    for at in _plain(text):
        if at == skip:
            continue
        if text.startswith("''", at):
            skip = at + 1
        yield at


def _double(text: str) -> Iterator[int]:
    at = 0
    while at < len(text):
        if fold := _FOLD.match(text, at):
            for _ in range(max(fold[0].count("\n") - 1, 1)):
                yield at
            at = fold.end()
        elif escape := _ESCAPE.match(text, at):
            if escape[1] == "\n":  # an escaped line break and the indentation after it are nothing
                at = escape.end() + len(text[escape.end() :]) - len(text[escape.end() :].lstrip())
                continue
            high = escape[1][0] == "u" and 0xD800 <= int(escape[1][1:], 16) < 0xDC00
            yield at
            at = escape.end() + (6 if high else 0)
        else:
            yield at
            at += 1


def _block(text: str, offset: int, *, folded: bool) -> int:
    """Lines lose their indentation; folding turns breaks into spaces, one character for one."""
    lines = text.split("\n")
    full = [line for line in lines if line.strip()]
    indent = len(full[0]) - len(full[0].lstrip(" ")) if full else 0
    start, left = 0, offset
    for number, line in enumerate(lines):
        size = max(len(line.rstrip("\r")) - indent, 0) + 1
        blank_after_text = folded and not line.strip() and number > 0 and lines[number - 1].strip()
        if blank_after_text:
            size -= 1  # the break before an empty line is folded away
        if left < size:
            return start + min(indent, len(line)) + left
        left -= size
        start += len(line) + 1
    return max(len(text) - 1, 0)
