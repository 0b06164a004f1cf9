"""The Link header (RFC 8288): where the next page is."""

from __future__ import annotations

import re
from collections.abc import Iterable

# A link value is `<target>; name=value; name="quoted value"`, and a header may
# hold several after one another. Everything is bounded by the header's size.
_TARGET = re.compile(r"\s*,?\s*<([^>]*)>")
_PARAMETER = re.compile(
    r'\s*;\s*([!#$&+.^_`|~\w-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?'
)


def next_link(headers: Iterable[str]) -> str | None:
    """The target of the first link whose relation is `next`, or None."""
    for header in headers:
        for target, relations in _links(header):
            if "next" in relations:
                return target
    return None


def _links(header: str) -> Iterable[tuple[str, list[str]]]:
    at = 0
    while found := _TARGET.match(header, at):
        at, relations = found.end(), None
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            # Of several `rel` the first counts (RFC 8288, 3.3).
            if parameter[1].lower() == "rel" and relations is None:
                relations = re.sub(r"\\(.)", r"\1", parameter[2] or parameter[3] or "")
        yield found[1], (relations or "").lower().split()
