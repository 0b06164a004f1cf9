"""What an answer says of the service's rate limit, in any of the three spellings in use.

RateLimit: "default";r=50;t=30            draft-ietf-httpapi-ratelimit-headers, 08 and later
RateLimit-Remaining: 50                   the drafts before; seconds in RateLimit-Reset
X-RateLimit-Remaining: 50                 custom; seconds, or the Unix time, in X-RateLimit-Reset
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from drawloom.doors.headers import Headers, first

_ITEM = re.compile(r"""[^,]*?;(?:[^,]*;)?\s*r=(\d{1,15})(?=[;,\s]|\Z)""")
_RESET = re.compile(r""";\s*t=(\d{1,15})(?=[;,\s]|\Z)""")
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?\Z", re.ASCII)
_INSTANT = 1_000_000_000  # a reset this large is an instant in Unix time, not seconds


def announced(headers: Headers) -> tuple[int, float] | None:
    """The calls that remain and the seconds until there are new ones; None if not said.

    Of several policies the one with the fewest calls left counts. An instant
    counts from the answer's own Date, so that a wrong clock does no harm.
    """
    if (field := first(headers, "ratelimit")) is not None:
        return _structured(field)
    for prefix in ("ratelimit", "x-ratelimit"):
        remaining = _number(first(headers, f"{prefix}-remaining"))
        reset = _number(first(headers, f"{prefix}-reset"))
        if remaining is not None and reset is not None:
            seconds = _seconds(reset, first(headers, "date"))
            return None if seconds is None else (int(remaining), seconds)
    return None


def _structured(field: str) -> tuple[int, float] | None:
    found = []
    for part in field.split(","):
        remaining, reset = _ITEM.match(part), _RESET.search(part)
        if remaining and reset:
            found.append((int(remaining[1]), float(reset[1])))
    return min(found, default=None)


def _number(text: str | None) -> float | None:
    text = (text or "").strip()
    return float(text) if _NUMBER.match(text) else None


def _seconds(reset: float, date: str | None) -> float | None:
    if reset < _INSTANT:
        return reset
    try:
        since = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
    return max(0.0, reset - since)
