"""I-Regexp (RFC 9485), the regular expressions of JSONPath, on the linear-time engine."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import jsonschema_rs

from drawloom.errors import ExpressionInvalid

LONGEST_PATTERN: Final = 1_000

# The grammar of RFC 9485, section 3; only groups need more than a pattern.
_CATEGORY = r"(?:L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|Z[lps]?|S[ckmo]?|C[cfno]?)"
_CATEGORY_ESCAPE = rf"\\[pP]\{{{_CATEGORY}\}}"
_ESCAPE = r"\\[()*+\-.?\[\\\]^nrt{|}]"
_IN_CLASS = rf"(?:[^\-\[\\\]\ud800-\udfff]|{_ESCAPE})"
_ITEM = rf"(?:{_CATEGORY_ESCAPE}|{_IN_CLASS}(?:-{_IN_CLASS})?)"
_TOKEN = re.compile(
    rf"""
    (?P<open>\() | (?P<close>\)) | (?P<or>\|)
    | (?P<count>[*+?]|\{{[0-9]+(?:,[0-9]*)?\}})
    | (?P<dot>\.)
    | \[\^?(?P<first>-?)(?P<items>{_ITEM}*)-?\]
    | (?P<atom>{_CATEGORY_ESCAPE}|{_ESCAPE}|[^()*+.?\[\\\]{{|}}\ud800-\udfff])
    """,
    re.VERBOSE | re.ASCII,
)


def translated(pattern: str) -> str | None:
    """*pattern* in the syntax of the engine, or None where it is no I-Regexp."""
    made: list[str] = []
    depth, position, countable = 0, 0, False
    while position < len(pattern):
        found = _TOKEN.match(pattern, position)
        if found is None or (found["count"] and not countable):
            return None
        depth += bool(found["open"]) - bool(found["close"])
        if depth < 0:
            return None
        countable = not (found["open"] or found["or"] or found["count"])
        text = _token(found)
        if text is None:
            return None
        made.append(text)
        position = found.end()
    return "".join(made) if depth == 0 else None


def _token(found: re.Match[str]) -> str | None:
    if found["dot"]:
        return r"[^\n\r]"
    # A class has something in it. Its marks mean the same here as in the
    # engine, which reads patterns as ECMA-262 does.
    empty = found["items"] == "" and not found["first"]
    return None if empty else found[0]


@lru_cache(maxsize=256)
def compiled(pattern: str, whole: bool) -> jsonschema_rs.Validator | None:
    """Is valid for the texts that *pattern* matches, as a *whole* or somewhere.

    None for what is no I-Regexp, which RFC 9535 (2.4.6) wants to match nothing.
    Raises `ExpressionInvalid` where the engine cannot take it.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise _unusable(pattern)
    text = translated(pattern)
    if text is None:
        return None
    options = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)
    schema = {"pattern": f"^(?:{text})$" if whole else f"(?:{text})"}
    try:
        return jsonschema_rs.Draft202012Validator(schema, pattern_options=options)
    except jsonschema_rs.ValidationError:
        raise _unusable(pattern) from None


def _unusable(pattern: str) -> ExpressionInvalid:
    return ExpressionInvalid(
        f"the regular expression is too large or its counts are wrong: {pattern[:60]!r}; "
        "make it shorter, or the counts {n,m} smaller",
        source=pattern[:200],
    )
