"""A test, read from its document: input, answers, events and what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from drawloom.chains.check_tests import EVENTS
from drawloom.dataflow.durations import seconds
from drawloom.dataflow.values import LARGEST_TEXT, read_json
from drawloom.drivers.simulated.clock import BEGINNING
from drawloom.errors import Failure, FailureKind, ValueInvalid
from drawloom.kernel import Pin

_RECORDED: Final = ("input", "pins", "answers", "expect")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call is answered with: an output or a failure, `after` some virtual seconds.

    `chunk_ends` says where each chunk of a stream ends; empty, as many items come as are
    asked for.
    """

    output: Any = None
    failure: Failure | None = None
    after: float = 0.0
    times: int = 1
    chunk_ends: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers under one key: one for each call, or a single one for every call."""

    each: tuple[Answer, ...]
    for_all: bool

    @property
    def count(self) -> int | None:
        """For how many calls they are; None where there is no end."""
        return None if self.for_all else sum(answer.times for answer in self.each)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something from outside. `at` is in virtual seconds; None: as soon as the run waits."""

    kind: str
    subject: str
    at: float | None
    more: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One test. `expect` is as it was written; `now` in microseconds since 1970 (UTC).

    `pins` are steps that have ended already. With `only`, of the others just these run.
    """

    name: str
    input: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Answers] = field(default_factory=dict)
    happenings: tuple[Happening, ...] = ()
    expect: Mapping[str, Any] = field(default_factory=dict)
    now: int = BEGINNING
    run: str = "test"
    pins: Mapping[str, Pin] = field(default_factory=dict)
    only: tuple[str, ...] | None = None


def case_of(document: Mapping[str, Any], folder: Path) -> Case:
    """The test that a checked document describes; `recorded` files are looked for in *folder*.

    Raises `ValueInvalid` where such a file is not to be read, or is wrong.
    """
    whole = _with_recorded(document, folder)
    return Case(
        whole["name"],
        whole.get("input", {}),
        {key: _answers(written) for key, written in whole.get("answers", {}).items()},
        tuple(_happening(written) for written in whole.get("events", ())),
        whole.get("expect", {}),
        _instant(whole["now"]) if "now" in whole else BEGINNING,
        whole.get("run", "test"),
        {step: _pin(written) for step, written in whole.get("pins", {}).items()},
        tuple(whole["only"]) if "only" in whole else None,
    )


def _with_recorded(document: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """With the part that stands in a file of its own; what the test says itself wins."""
    if (name := document.get("recorded")) is None:
        return document
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueInvalid(f"recorded: {name} is outside {folder}; keep it beside the test")
    try:
        with path.open("rb") as file:
            found = read_json(file.read(LARGEST_TEXT + 1), source=str(path))
    except OSError as exc:
        raise ValueInvalid(f"recorded: cannot read {path}: {exc.strerror}") from None
    if not isinstance(found, dict) or not found.keys() <= set(_RECORDED):
        raise ValueInvalid(f"{path} must be an object with some of {', '.join(_RECORDED)}")
    merged = {
        name: {**value, **document.get(name, {})}
        for name, value in found.items()
        if isinstance(value, dict)
    }
    if merged.keys() != found.keys():
        raise ValueInvalid(f"{path}: each of {', '.join(_RECORDED)} must be an object")
    return {**document, **merged}


def _answers(written: Any) -> Answers:
    if isinstance(written, list):
        return Answers(tuple(_answer(entry) for entry in written), False)
    return Answers((_answer(written),), True)


def _answer(entry: Mapping[str, Any]) -> Answer:
    after = seconds(entry["after"]) if "after" in entry else 0.0
    ends = tuple(accumulate(entry.get("chunks", ())))
    return Answer(entry.get("output"), _failure(entry), after, entry.get("times", 1), ends)


def _failure(entry: Mapping[str, Any]) -> Failure | None:
    if "fail" not in entry:
        return None
    fail = entry["fail"]
    kind = FailureKind(fail["kind"])
    return Failure(
        kind,
        fail.get("message", f"{kind}, as the test says"),
        fail.get("retry_after"),
        fail.get("details"),
        fail.get("harmless", False),
    )


def _pin(written: Any) -> Pin:
    if isinstance(written, str):
        return Pin("skipped")
    failure = _failure(written)
    return Pin("succeeded" if failure is None else "failed", written.get("output"), failure)


def _happening(written: Mapping[str, Any]) -> Happening:
    kind = next(name for name in EVENTS if name in written)
    at = seconds(written["at"]) if "at" in written else None
    return Happening(kind, written[kind], at, written)


def _instant(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)
