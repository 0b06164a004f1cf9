"""The slow JSON reader: the same rules, and it can say where a text breaks them.

`values.read_json` comes here where its fast decoder refused the text, or may
have overlooked something. Iterative, so that no depth can exhaust the stack.
"""

from __future__ import annotations

import json
import math
import re
from json import JSONDecodeError
from json.decoder import py_scanstring  # type: ignore[attr-defined]
from typing import Any, NoReturn

from drawloom.dataflow.values_encoding import (
    LARGEST_INTEGER,
    MOST_DIGITS,
    depth_within,
    encode_value,
    pointer,
    well_formed,
)
from drawloom.errors import ValueInvalid

_LOCATED_AT_MOST = 4 * 1024 * 1024

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"true|false|null")
_WORDS = {"true": True, "false": False, "null": None}
_NO_NUMBER = re.compile(r"-?(?:NaN|Infinity)")


def named(source: str, message: str) -> str:
    """*message* with the name of what was read in front."""
    return f"{source}: {message}" if source else message


def read_slowly(text: bytes | str, max_depth: int, source: str) -> Any:
    """Read *text*, or raise `ValueInvalid` with line, column and JSON Pointer.

    Above 4 MiB, where the careful reader would take seconds, the error may name less.
    """
    decoded = _decoded(text, source)
    try:
        value = _read_strictly(decoded)
    except (ValueError, RecursionError, ValueInvalid) as exc:
        found = exc
    else:
        if depth_within(value, max_depth):
            return value
        found = ValueError(f"nested more than {max_depth} deep")
    if len(decoded) <= _LOCATED_AT_MOST:
        return _Reader(decoded, max_depth, source).read()
    raise ValueInvalid(named(source, _said(found, max_depth)), getattr(found, "path", ""))


def _read_strictly(text: str) -> Any:
    """The standard library's decoder, with the duplicate keys seen by a hook."""
    return encode_value(json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for at, key in enumerate(keys) if key in keys[at + 1 :])
        raise ValueError(f"the key {twice!r:.100} stands there twice")
    return made


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number (RFC 7493, 2.2)")


def _said(exc: Exception, max_depth: int) -> str:
    if isinstance(exc, RecursionError):
        return f"nested more than {max_depth} deep"
    return exc.reason if isinstance(exc, ValueInvalid) else str(exc)


def _decoded(text: bytes | str, source: str) -> str:
    if isinstance(text, str):
        return text
    try:
        return bytes(text).decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ValueInvalid(
            named(source, f"byte {exc.start}: not UTF-8 ({exc.reason}); JSON is UTF-8 (RFC 8259)")
        ) from None


class _Reader:
    """One pass over one text. `open` holds the containers around `at`, outermost first."""

    __slots__ = ("at", "depth", "keys", "open", "source", "text")

    def __init__(self, text: str, depth: int, source: str) -> None:
        self.text = text
        self.at = 0
        self.depth = depth
        self.source = source
        self.open: list[Any] = []
        self.keys: list[str] = []  # the key last read of each open object ("" of an array)

    def read(self) -> Any:
        if self.text.startswith("\ufeff"):
            self._fail("a byte order mark; save the text without one (RFC 8259, 8.1)")
        value = self._start()
        while self.open:
            value = self._next(value)
        self._skip()
        if self.at < len(self.text):
            self._fail("something follows the end of the value")
        return value

    def _next(self, value: Any) -> Any:
        """Put *value* into the innermost container; go on to the next, or close it."""
        container = self.open[-1]
        if isinstance(container, dict):
            return self._next_member(container, value)
        if value is not _NOTHING:
            container.append(value)
            if self._take(","):
                return self._start()
        if self._take("]"):
            return self._close()
        return self._fail_here("',' or ']'") if container else self._start()

    def _next_member(self, container: dict[str, Any], value: Any) -> Any:
        if value is not _NOTHING:
            container[self.keys[-1]] = value
            if self._take(","):
                return self._member(container)
        if self._take("}"):
            return self._close()
        return self._fail_here("',' or '}'") if container else self._member(container)

    def _member(self, container: dict[str, Any]) -> Any:
        self._skip()
        start = self.at
        if not self._take('"'):
            self._fail_here("a key in double quotes")
        key = self._string()
        if key in container:
            self.at = start
            self._fail(f"the key {key!r:.100} stands there twice")
        self.keys[-1] = key
        if not self._take(":"):
            self._fail_here("':'")
        return self._start()

    def _close(self) -> Any:
        self.keys.pop()
        return self.open.pop()

    def _start(self) -> Any:
        """Read a scalar, or open a container (and give `_NOTHING`)."""
        if self._take("{"):
            return self._open({})
        if self._take("["):
            return self._open([])
        if self._take('"'):
            return self._string()
        if found := _WORD.match(self.text, self.at):
            self.at = found.end()
            return _WORDS[found.group()]
        return self._number()

    def _open(self, container: Any) -> Any:
        if len(self.open) >= self.depth:
            self._fail(f"nested more than {self.depth} deep")
        self.open.append(container)
        self.keys.append("")
        return _NOTHING

    def _string(self) -> str:
        start = self.at
        try:
            text, self.at = py_scanstring(self.text, self.at, True)
        except JSONDecodeError as exc:
            # The message would end in a position, and for this one stands behind the character.
            self.at = exc.pos - exc.msg.startswith("Invalid control")
            self._fail(exc.msg.removesuffix(" at").removesuffix(" starting"))
        if not text.isascii() and not well_formed(text):
            self.at = start - 1
            self._fail("the text has a lone surrogate, which is no character (RFC 7493, 2.1)")
        return str(text)

    def _number(self) -> Any:
        if _NO_NUMBER.match(self.text, self.at):
            self._fail("NaN and Infinity are no JSON numbers (RFC 7493, 2.2)")
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            self._fail_here("a value")
        value = self._double(found.group()) if found.lastindex else self._whole(found.group())
        self.at = found.end()
        return value

    def _double(self, text: str) -> float:
        value = float(text)
        if math.isinf(value):
            self._fail("the number is beyond a double (RFC 7493, 2.2); write it as a string")
        return value

    def _whole(self, text: str) -> int | str:
        if len(text) > MOST_DIGITS and len(text.lstrip("-")) > MOST_DIGITS:
            self._fail(f"an integer of more than {MOST_DIGITS} digits")
        if len(text) < 16:
            return int(text)
        return int(text) if len(text) < 20 and abs(int(text)) <= LARGEST_INTEGER else text

    def _skip(self) -> None:
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]

    def _take(self, mark: str) -> bool:
        """Skip white space, then *mark* if it stands there."""
        self._skip()
        if not self.text.startswith(mark, self.at):
            return False
        self.at += 1
        return True

    def _fail_here(self, wanted: str) -> NoReturn:
        self._skip()
        found = repr(self.text[self.at]) if self.at < len(self.text) else "the end of the text"
        self._fail(f"expected {wanted}, found {found}")

    def _fail(self, message: str) -> NoReturn:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - self.text.rfind("\n", 0, self.at)
        where = f"line {line}, column {column} (character {self.at})"
        raise ValueInvalid(named(self.source, f"{where}: {message}"), self._pointer())

    def _pointer(self) -> str:
        path = [
            key if isinstance(container, dict) else len(container)
            for container, key in zip(self.open, self.keys, strict=True)
        ]
        return pointer(path[:20])


_NOTHING = object()  # a container was opened, and has no value for the one around it yet
