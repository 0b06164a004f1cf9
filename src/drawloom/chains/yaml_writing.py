"""Write plain values as YAML, the way a person would."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# Words and signs that stand for nothing else in YAML, also between the brackets of a flow.
_PLAIN = re.compile(r"[A-Za-z_/$][A-Za-z0-9_/$.()+%-]*( [A-Za-z0-9_/$.()+%=<>-]+)*")
_NOT_TEXT = re.compile(r"(~|null|true|false|yes|no|on|off|y|n|NaN|[-+]?Infinity)", re.IGNORECASE)
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_SHORT = 60


def scalar(value: Any, style: str = "") -> str:
    """One line for a text, number, boolean or null. *style* is the quote to prefer, if any."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = style == "" and _PLAIN.fullmatch(value) and not _NOT_TEXT.fullmatch(value)
    if plain:
        return value
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return _ODD.sub(lambda odd: f"\\u{ord(odd[0]):04x}", json.dumps(value, ensure_ascii=False))


def flow(value: Any) -> str:
    """*value* on one line, with brackets."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def fits_a_line(value: Any) -> bool:
    """Whether *value* is written in one line: a scalar, or something short and flat."""
    if isinstance(value, str):
        return not literal(value)
    if not isinstance(value, Mapping | list):
        return True
    inner = value.values() if isinstance(value, Mapping) else value
    flat = not any(isinstance(each, Mapping | list) and each for each in inner)
    return flat and len(flow(value)) <= _SHORT


def literal(text: str) -> bool:
    """Whether *text* is best written as a block of lines (`|`)."""
    lines = text.split("\n")
    return (
        len(lines) > 2
        and text.endswith("\n")
        and not text.endswith("\n\n")
        and not lines[0].startswith(" ")
        and bool(lines[0])
        and all(line.isprintable() for line in lines)
    )


def block(value: Any, indent: int, step: int) -> list[str]:
    """The lines of *value*, each begun with *indent* spaces; *step* more for each level."""
    blank = " " * indent
    if isinstance(value, Mapping) and value:
        return [
            line
            for name, inner in value.items()
            for line in entry(f"{blank}{scalar(name)}:", inner, indent, step)
        ]
    if isinstance(value, list) and value:
        return [line for inner in value for line in _item(inner, indent, step)]
    return [blank + flow(value)]


def entry(head: str, value: Any, indent: int, step: int) -> list[str]:
    """The lines of `head value`: on one line if it fits, else below it."""
    if isinstance(value, str) and literal(value):
        below = [" " * (indent + step) + line if line else "" for line in value.split("\n")[:-1]]
        return [f"{head} |", *below]
    if fits_a_line(value):
        return [f"{head} {flow(value)}"]
    return [head, *block(value, indent + step, step)]


def _item(value: Any, indent: int, step: int) -> list[str]:
    dash = " " * indent + "-"
    if fits_a_line(value) or isinstance(value, str):
        return entry(dash, value, indent, step)
    lines = block(value, indent + 2, step)
    return [f"{dash} {lines[0].lstrip()}", *lines[1:]]
