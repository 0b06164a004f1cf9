"""Header fields that cannot smuggle a second request, or speak for the connection."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TypeAlias

from drawloom.errors import invalid

Headers: TypeAlias = tuple[tuple[str, str], ...]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5
_MOST = 100
_LARGEST = 16 * 1024

# The transport writes these; a second opinion on where a message ends or whom
# it is for is how requests are smuggled (RFC 9112, 11.2).
_FRAMING = frozenset({"connection", "content-length", "expect", "host", "keep-alive"}) | {
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "accept-encoding",
}


def checked_headers(headers: Iterable[tuple[str, str]], taken: Collection[str] = ()) -> Headers:
    """*headers* as they may be sent. Raises `ToolError` (invalid) naming the field.

    *taken* are the names (lower case) that the connection itself sends.
    """
    found = tuple(headers)
    for name, value in found:
        if problem := _problem(name, value, taken):
            raise invalid(f"header {name[:60]!r} {problem}")
    size = sum(len(n) + len(v) + 4 for n, v in found)
    if len(found) > _MOST or size > _LARGEST:
        raise invalid(
            f"{len(found)} headers of {size} bytes; at most {_MOST} of {_LARGEST} bytes may be sent"
        )
    return found


def _problem(name: str, value: str, taken: Collection[str]) -> str | None:
    if not _TOKEN.fullmatch(name):
        return "is not a header name (RFC 9110 token)"
    if not _VALUE.fullmatch(value) or value != value.strip():
        return "has a value with a line break, control character or outer space"
    if name.lower() in _FRAMING:
        return "is written by the client itself: leave it out"
    if name.lower() in taken:
        return "is set by the connection: leave it out"
    return None


def first(headers: Headers, name: str) -> str | None:
    """The value of the first header called *name* (lower case), or None."""
    return next((v for n, v in headers if n == name), None)
