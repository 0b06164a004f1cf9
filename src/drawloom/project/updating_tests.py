"""Write other expectations into files of tests: only their values, and only if nobody else has.

YAML keeps its comments and the order of its keys; JSON is written anew with the
indentation that it has.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from drawloom.chains.plain_edits import GONE, edited, find
from drawloom.chains.yaml_edit import YamlDocument
from drawloom.dataflow.values import LARGEST_TEXT, read_json
from drawloom.doors import Folder
from drawloom.errors import ChainInvalid, ValueInvalid
from drawloom.testing import Case

BACKUP: Final = ".bak"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A file as it is, and as it would be."""

    path: Path
    before: bytes
    after: bytes

    @property
    def diff(self) -> str:
        """What changes, as a unified diff."""
        old, new = (text.decode().splitlines() for text in (self.before, self.after))
        lines = difflib.unified_diff(old, new, str(self.path), str(self.path), lineterm="")
        return "\n".join(lines)


class Rewrites:
    """New values for the expectations of tests, gathered file by file; `write` writes them all."""

    def __init__(self) -> None:
        self._files: dict[Path, _File] = {}

    def add(self, file: Path, case: Case, new: Mapping[str, Any]) -> None:
        """Give the test *case* of *file* the values *new*, by the field of its `expect`.

        Raises `ValueInvalid` where the test is not there as it was run, or cannot be edited;
        nothing of the test is then changed.
        """
        beside = self._file(file)
        at, test = _found(beside.was, case.name, file)
        own = test.get("expect", {})
        recorded = self._file(file.parent / test["recorded"]) if "recorded" in test else None
        kept = {} if recorded is None else recorded.was.get("expect", {})
        if {**kept, **own} != dict(case.expect):
            raise ValueInvalid(f"{file}: {case.name!r} has changed since it was run; run it again")
        beside.set({f"{at}/expect/{name}": new[name] for name in new if name in own})
        if recorded is not None:
            recorded.set({f"/expect/{name}": new[name] for name in new if name not in own})

    def all(self) -> tuple[Rewrite, ...]:
        """The files that would be other than they are."""
        found = (Rewrite(path, file.before, file.after) for path, file in self._files.items())
        return tuple(one for one in found if one.before != one.after)

    def _file(self, path: Path) -> _File:
        if path not in self._files:
            self._files[path] = _File(path)
        return self._files[path]


def write(rewrites: Iterable[Rewrite]) -> dict[Path, Path]:
    """Write them, each whole or not at all; where the text that was there is kept, by file.

    Raises `ValueInvalid`, with nothing written, where one is not as it was when it was read.
    """
    every = [(one, one.path.resolve()) for one in rewrites]
    for one, place in every:
        if _bytes(place) != one.before:
            raise ValueInvalid(f"{one.path} has changed meanwhile; nothing was written")
    kept = {}
    for one, place in every:
        folder = Folder(place.parent, max_bytes=LARGEST_TEXT)
        folder.write(place.name + BACKUP, one.before)
        folder.write(place.name, one.after)
        kept[one.path] = place.with_name(place.name + BACKUP)
    return kept


class _File:
    """A file's text, edited in memory. `was` is its data as it was read."""

    def __init__(self, path: Path) -> None:
        self.before = self.after = _bytes(path)
        self._kind = _Json if path.suffix == ".json" else YamlDocument.parse
        if self._kind is _Json:
            self.was: Any = read_json(self.before, source=str(path))  # as tests are read
        else:
            self.was = self._read().data

    def set(self, values: Mapping[str, Any]) -> None:
        """Set what is at pointers: all of it, or with an error nothing."""
        text = self._read()
        for pointer, value in values.items():
            text.set(pointer, value)
        self.after = text.text.encode()

    def _read(self) -> Any:
        try:
            return self._kind(self.after.decode())
        except (ChainInvalid, ValueError) as exc:
            raise ValueInvalid(f"it can no longer be read: {exc}") from None


class _Json:
    """A JSON text with the face of `YamlDocument`. Integers of any size stay what they are."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = json.loads(text)

    def set(self, pointer: str, value: Any) -> None:
        if find(self.data, pointer) is GONE:
            raise ValueInvalid("there is nothing to set", pointer)
        indent = re.search(r"\n( +)", self.text)
        self.data = edited(self.data, pointer, value, "set")
        end = "\n" if self.text.endswith("\n") else ""
        spaces = len(indent[1]) if indent else None
        self.text = json.dumps(self.data, ensure_ascii=False, indent=spaces) + end


def _found(whole: Any, name: str, file: Path) -> tuple[str, Mapping[str, Any]]:
    tests = whole.get("tests", []) if isinstance(whole, dict) else []
    for number, test in enumerate(tests):
        if test.get("name") == name:
            return f"/tests/{number}", test
    raise ValueInvalid(f"{file}: the test {name!r} is no longer there")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ValueInvalid(f"cannot read {path}: {exc.strerror}") from None
