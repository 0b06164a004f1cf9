"""JSON text to plain data, strictly (RFC 8259 and I-JSON, RFC 7493), with the place of each value.

Python's own reader recurses, keeps the last of two equal keys and takes NaN.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from drawloom.chains.reading import Assembly, Limits, decoded, integer_fits, paired, refused
from drawloom.chains.source import Source
from drawloom.errors import ChainInvalid

_TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
      (?P<mark>[{}\[\],:])
    | (?P<text>"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")
    | (?P<number>-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?)
          (?![A-Za-z0-9_.+-])
    | (?P<word>true|false|null)(?![A-Za-z0-9_])
    )""",
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t\n\r]*")
_ODD = re.compile(r"[A-Za-z0-9_.+\-]{1,20}|.", re.DOTALL)
_WORDS = {"true": True, "false": False, "null": None}


def read_json_source(
    text: str | bytes, *, file: str | None = None, limits: Limits | None = None
) -> tuple[Any, Source]:
    """The data of one JSON document and where it stands; raises `ChainInvalid` with findings."""
    limits = limits or Limits()
    content = decoded(text, file, limits)
    assembly = Assembly(content, file, limits)
    _JsonReader(assembly).read()
    if assembly.findings:
        raise refused(assembly.findings)
    return assembly.root, assembly.source


def looks_like_json(text: str | bytes, file: str | None) -> bool:
    """Whether the text is to be read as JSON: by the file's name, else by how it begins."""
    if file is not None and file.endswith((".json", ".yaml", ".yml")):
        return file.endswith(".json")
    head = text[:4096]
    begin = head.decode("utf-8", "replace") if isinstance(head, bytes) else head
    return re.match(r"\ufeff?\s*\{\s*[\"}]", begin) is not None


class _JsonReader:
    """A pushdown automaton: `_closers` holds the bracket that ends each open collection."""

    def __init__(self, assembly: Assembly) -> None:
        self._to = assembly
        self._text = assembly.source.text
        self._at = 0
        self._closers: list[str] = []

    def read(self) -> None:
        """Read the whole text: one value, and nothing after it."""
        self._value(self._next())
        while self._closers:
            self._after_value(self._next())
        end = _BLANK.match(self._text, self._at)
        self._at = end.end() if end else self._at
        if self._at < len(self._text):
            raise self._unexpected("text after the end of the document")

    def _next(self) -> re.Match[str]:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            blank = _BLANK.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            raise self._unexpected("not JSON")
        self._at = found.end()
        return found

    def _after_value(self, token: re.Match[str]) -> None:
        mark = token["mark"]
        if mark == self._closers[-1]:
            self._close()
        elif mark == ",":
            self._entry(self._next())
        else:
            self._at = _start(token)
            raise self._unexpected(f"',' or {self._closers[-1]!r} expected")

    def _entry(self, token: re.Match[str]) -> None:
        """A value, after its key where a mapping is open."""
        if self._closers[-1] == "]":
            self._value(token)
            return
        if token["text"] is None:
            self._at = _start(token)
            raise self._unexpected("a key in double quotes expected")
        place = self._to.place(_start(token))
        self._to.key(self._string(token, place), place)
        colon = self._next()
        if colon["mark"] != ":":
            self._at = _start(colon)
            raise self._unexpected("':' expected")
        self._value(self._next())

    def _value(self, token: re.Match[str]) -> None:
        mark = token["mark"]
        if mark in ("{", "["):
            self._open(mark, token)
        elif mark is not None:
            self._at = _start(token)
            raise self._unexpected("a value expected")
        else:
            place = self._to.place(_start(token))
            self._to.scalar(self._scalar(token, place), place, (_start(token), token.end()))

    def _open(self, mark: str, token: re.Match[str]) -> None:
        self._to.start({} if mark == "{" else [], self._to.place(_start(token)))
        self._closers.append("}" if mark == "{" else "]")
        first = self._next()
        if first["mark"] == self._closers[-1]:
            self._close()
        else:
            self._entry(first)

    def _close(self) -> None:
        self._closers.pop()
        self._to.end()

    def _scalar(self, token: re.Match[str], place: tuple[int, int]) -> Any:
        if token["text"] is not None:
            return self._string(token, place)
        if token["word"] is not None:
            return _WORDS[token["word"]]
        written = token["number"]
        if token["fraction"] is None and token["exponent"] is None:
            if len(written) <= 40 and integer_fits(int(written)):
                return int(written)
        elif math.isfinite(float(written)):
            return float(written)
        shown = written if len(written) <= 40 else written[:40] + "[…]"
        message = f"{shown} is too large to be exact in JSON"
        self._to.wrong("bad-number", message, place, f'write it in quotes: "{shown}"')
        return None

    def _string(self, token: re.Match[str], place: tuple[int, int]) -> str:
        value = paired(json.loads(token["text"]))
        if value is None:
            message = "half of a surrogate pair stands alone, so this is not Unicode text"
            self._to.wrong("lone-surrogate", message, place, "write the whole character")
            return "\ufffd"
        return value

    def _unexpected(self, what: str) -> ChainInvalid:
        odd = _ODD.match(self._text, self._at)
        shown = f"{odd[0]!r} found" if odd else "the text ends here"
        return self._to.refusal("json-syntax", f"{what}: {shown}", min(self._at, len(self._text)))


def _start(token: re.Match[str]) -> int:
    """Where the token itself begins, after the blanks before it."""
    inner = next(name for name in ("mark", "text", "number", "word") if token[name] is not None)
    return token.start(inner)
