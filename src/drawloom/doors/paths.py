"""Paths below a folder, taken apart and checked before any file is touched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from functools import lru_cache

from drawloom.errors import invalid

_LONGEST = 4_096
_LONGEST_NAME = 255
_DEEPEST = 64


def segments(path: str) -> list[str]:
    """The names that *path* goes through. Raises `ToolError` (invalid) saying what is wrong."""
    if problem := _problem(path):
        shown = path if len(path) <= 200 else path[:200] + "…"
        raise invalid(f"path {shown!r} {problem}", path="/path")
    return path.split("/")


def _problem(path: str) -> str | None:
    if not path:
        return "is empty: name a file in the connection's folder"
    if any(ord(c) < 32 or c == "\x7f" for c in path):
        return "holds a control character"
    if path.startswith("/"):
        return "is absolute: paths are relative to the connection's folder"
    if "\\" in path:
        return "holds a backslash: separate folders with /"
    names = path.split("/")
    if any(name in ("", ".", "..") for name in names):
        return "has an empty, '.' or '..' part: files outside the folder cannot be reached"
    if len(path) > _LONGEST or len(names) > _DEEPEST:
        return f"is longer than {_LONGEST} characters or {_DEEPEST} parts"
    if any(len(name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME for name in names):
        return f"has a part of more than {_LONGEST_NAME} bytes"
    return None


def matches(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path fits a glob: `*`, `?`, `[a-z]` within a part, `**` for any folders."""
    # The positions in the pattern that the names so far can have led to, so
    # that many `**` cost no more than their number.
    open_at = _past_stars({0}, pattern)
    for name in names:
        after = set()
        for at in open_at:
            if at == len(pattern):
                continue
            if pattern[at] == "**":
                after.add(at)
            elif _name_pattern(pattern[at]).match(name):
                after.add(at + 1)
        open_at = _past_stars(after, pattern)
    return len(pattern) in open_at


def _past_stars(positions: set[int], pattern: Sequence[str]) -> set[int]:
    """*positions*, and those behind each `**`, which may stand for no folder at all."""
    found = set(positions)
    for at in sorted(positions):
        while at < len(pattern) and pattern[at] == "**":
            at += 1
            found.add(at)
    return found


@lru_cache(maxsize=256)
def _name_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
