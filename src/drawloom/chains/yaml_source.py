"""YAML text to plain data, strictly: the YAML 1.2 core schema, I-JSON values, and limits.

Refused, each with its line and column: duplicate keys, tags, merge keys, keys
that are not text, NaN and infinities, integers beyond 2**53-1, lone surrogates,
a second document, aliases that explode, and depth, size and bytes over the limits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from drawloom.chains.reading import (
    Assembly,
    Limits,
    decoded,
    integer_fits,
    paired,
    refused,
)
from drawloom.chains.source import Source

# YAML 1.2.2, section 10.3.2 (core schema).
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|NaN|[-+]?Infinity")
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_PROPERTY = re.compile(r"[&!][^\s,\[\]{}]*\s+")


def read_yaml(
    text: str | bytes, *, file: str | None = None, limits: Limits | None = None
) -> tuple[Any, Source]:
    """The data of one YAML document and where it stands; raises `ChainInvalid` with findings."""
    limits = limits or Limits()
    content = decoded(text, file, limits)
    assembly = Assembly(content, file, limits)
    _YamlReader(assembly).read()
    if assembly.findings:
        raise refused(assembly.findings)
    return assembly.root, assembly.source


class _YamlReader:
    """Feeds an `Assembly` from the parser's event stream."""

    def __init__(self, assembly: Assembly) -> None:
        self._to = assembly
        self._documents = 0
        self._take = {
            "DocumentStartEvent": self._document,
            "ScalarEvent": self._scalar,
            "MappingStartEvent": self._mapping,
            "SequenceStartEvent": self._sequence,
            "MappingEndEvent": self._end,
            "SequenceEndEvent": self._end,
            "AliasEvent": self._alias,
        }

    def read(self) -> None:
        """Read the whole text. A parser error ends it, with its place."""
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
        from ruamel.yaml.reader import ReaderError

        take = self._take
        try:
            for event in _events(self._to.source.text):
                if handler := take.get(type(event).__name__):
                    handler(event)
        except MarkedYAMLError as exc:
            raise self._syntax(exc) from None
        except ReaderError as exc:
            shown = f"U+{exc.character:04X}"
            message = f"the character {shown} is not allowed in YAML"
            more = f'write it in double quotes as "\\u{exc.character:04x}"'
            raise self._to.refusal("bad-character", message, exc.position, more) from None
        except (YAMLError, ValueError, OverflowError) as exc:
            raise self._to.refusal("yaml-syntax", f"not YAML: {exc}", 0) from None

    def _syntax(self, exc: Any) -> Exception:
        mark = exc.problem_mark or exc.context_mark
        problem = (exc.problem or exc.context or "not YAML").replace("\\t", "tab")
        more = ""
        if "'\t'" in problem or "tab" in problem:
            problem, more = "a tab stands where only spaces may", "indent with spaces"
        elif "mapping values are not allowed" in problem:
            more = "quote the text that holds ': '"
        return self._to.refusal("yaml-syntax", f"not YAML: {problem}", self._place(mark), more)

    def _place(self, mark: Any) -> tuple[int, int]:
        return self._to.place(mark.index) if mark is not None else (1, 1)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            message = "a second document begins here; a file holds one chain"
            raise self._to.refusal("several-documents", message, self._place(event.start_mark))
        if event.tags or (event.version and tuple(event.version) != (1, 2)):
            message = "only YAML 1.2 without tag directives is read"
            raise self._to.refusal("bad-directive", message, (1, 1), "remove the % line")

    def _scalar(self, event: Any) -> None:
        self._refuse_tag(event)
        start, end = event.start_mark.index, event.end_mark.index
        place = self._place(event.start_mark)
        if event.anchor is not None:
            start, place = self._past_properties(start)
        plain = event.style is None
        if self._to.wants_key:
            self._key(event.value, plain, place)
            return
        value = self._resolved(event.value, place) if plain else self._text(event.value, place)
        self._to.scalar(value, place, (start, end), event.anchor)

    def _past_properties(self, start: int) -> tuple[int, tuple[int, int]]:
        """Where the text itself begins, after its `&anchor`."""
        found = _PROPERTY.match(self._to.source.text, start)
        start = found.end() if found else start
        return start, self._to.place(start)

    def _key(self, name: str, plain: bool, place: tuple[int, int]) -> None:
        if plain and name == "<<":
            message = "merge keys (<<) are not read: they hide what a step holds"
            self._to.wrong("merge-key", message, place, "write the fields out")
        elif plain and not isinstance(self._resolved(name, place, quiet=True), str):
            message = f"the key {name or '(empty)'} is not text"
            self._to.wrong("key-not-text", message, place, f'write it in quotes: "{name}"')
        self._to.key(self._text(name, place), place)

    def _mapping(self, event: Any) -> None:
        self._collection(event, {})

    def _sequence(self, event: Any) -> None:
        self._collection(event, [])

    def _collection(self, event: Any, value: Any) -> None:
        self._refuse_tag(event)
        self._refuse_complex_key(event)
        self._to.start(value, self._place(event.start_mark), event.anchor)

    def _end(self, event: Any) -> None:
        self._to.end()

    def _alias(self, event: Any) -> None:
        self._refuse_complex_key(event)
        self._to.alias(event.anchor, self._place(event.start_mark))

    def _refuse_complex_key(self, event: Any) -> None:
        if self._to.wants_key:
            message = "a key must be text, not a list, a mapping or an alias"
            raise self._to.refusal("key-not-text", message, self._place(event.start_mark))

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            shown = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            message = f"tags ({shown[:60]}) are not read: a chain holds plain values only"
            self._to.wrong("yaml-tag", message, self._place(event.start_mark), "remove the tag")

    def _text(self, value: str, place: tuple[int, int]) -> str:
        joined = paired(value)
        if joined is None:
            message = "half of a surrogate pair stands alone, so this is not Unicode text"
            self._to.wrong("lone-surrogate", message, place, "write the whole character")
            return "\ufffd"
        return joined

    def _resolved(self, text: str, place: tuple[int, int], quiet: bool = False) -> Any:
        """The value of a plain scalar by the core schema."""
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in "+-.0123456789NI":
            return self._text(text, place)
        if _NOT_FINITE.fullmatch(text):
            return self._refused_number(text, "is not a JSON number", place, quiet)
        if _INTEGER.fullmatch(text):
            return self._integer(text, 10, place, quiet)
        if _OCTAL_OR_HEX.fullmatch(text):
            return self._integer(text, 0, place, quiet)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
            return self._refused_number(text, "is too large for a number", place, quiet)
        return self._text(text, place)

    def _integer(self, text: str, radix: int, place: tuple[int, int], quiet: bool) -> int | None:
        # Python refuses to convert thousands of digits; 40 already say enough.
        if len(text) <= 40 and integer_fits(number := int(text, radix)):
            return number
        self._refused_number(text, "is beyond 2**53-1 and would lose digits", place, quiet)
        return None

    def _refused_number(self, text: str, why: str, place: Any, quiet: bool) -> None:
        shown = text if len(text) <= 40 else text[:40] + "[…]"
        if not quiet:
            more = f'write it in quotes: "{shown}"'
            self._to.wrong("bad-number", f"{shown} {why}", place, more)


def _events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
    return events
