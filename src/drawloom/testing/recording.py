"""Make a test of a stored run: its input, the answers that it got, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec

from drawloom.chains.plan import Plan
from drawloom.dataflow.large_values import plain
from drawloom.drivers.embedded.store import History, RunRecord, Store, StoredEvent
from drawloom.drivers.family import handler_id
from drawloom.errors import Failure, FailureKind, ValueInvalid
from drawloom.kernel import CallFailed, CallSucceeded, CancelRequested, Pin, Resolved, Started
from drawloom.sdk import Tool
from drawloom.testing.engine import runs_for_real
from drawloom.testing.masking import Masking
from drawloom.testing.streamed import Reading, is_reading, readers, readings

#: Reads streams again, and gives the answers by the name of the step that streams.
ReadStreams: TypeAlias = Callable[[Sequence[Reading]], dict[str, dict[str, Any]]]

LARGE: Final = 16 * 1024  # bytes of JSON; what is more goes into a file of its own
_NEVER: Final = 1_000_000  # virtual seconds, after which a call is answered that never was
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A real tool gives these by chance, and not by its input.
_BY_CHANCE: Final = frozenset({FailureKind.LOST, FailureKind.TIMEOUT})


@dataclass(frozen=True, slots=True)
class Recorded:
    """A test as a document, its secrets masked. `masked` says where, as JSON Pointers.

    `plan` is the one that the run began with.
    """

    test: Mapping[str, Any]
    plan: Plan
    masked: tuple[str, ...]

    @property
    def is_large(self) -> bool:
        """Whether the recorded part is better kept in a file of its own."""
        return len(msgspec.json.encode(self.test)) > LARGE

    def split(self, file: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The test, and what stands in *file* beside it: input, pins, answers and output."""
        expect = dict(self.test["expect"])
        beside = {
            name: self.test[name] for name in ("input", "pins", "answers") if name in self.test
        }
        beside["expect"] = {name: expect.pop(name) for name in ("output",) if name in expect}
        rest = {name: value for name, value in self.test.items() if name not in beside}
        return {**rest, "recorded": file, "expect": expect}, beside


def recorded(
    store: Store,
    record: RunRecord,
    find_tool: Callable[[str], Tool],
    read_streams: ReadStreams | None = None,
) -> Recorded:
    """A test of the run that passes on the chain as it was then.

    A run of a part of its chain gives a test with its pins and its `only`. Where the run
    read streams, *read_streams* has to give the answers for them. Raises `ValueInvalid`
    for a run that is not over, or where the streams are not read; `JournalMismatch` where
    the run cannot be worked out.
    """
    if not record.over:
        raise ValueInvalid(
            f"run {record.id} is {record.status}; a test is made of one that is over"
        )
    history = store.history(record, find_tool)
    start = _start(history)
    plan = history.run.plan
    cancelled = any(isinstance(event.event, CancelRequested) for event in history.events)
    answers = {
        **_streams(history, read_streams),
        **_answers(history, find_tool, cancelled),
        **_handler(store, record, find_tool, read_streams),
    }
    test = {
        "name": f"as run {record.id}",
        "run": record.id,
        "now": _instant(start.at),
        "input": plain(start.input),
        "pins": {name: _pin(pin) for name, pin in (start.pins or {}).items()},
        "only": list(start.only or ()),
        "answers": answers,
        "events": _events(history.events, start.at),
        "expect": _expect(history, record),
    }
    masking = Masking()
    masked = masking.mask({name: value for name, value in test.items() if value not in ({}, [])})
    return Recorded(masked, plan, tuple(masking.masked))


def _start(history: History) -> Started:
    start = history.events[0].event
    assert isinstance(start, Started)
    return start


def _pin(pin: Pin) -> dict[str, Any] | str:
    if pin.failure is not None:
        return {"fail": _failure(pin.failure)}
    return "skipped" if pin.status == "skipped" else {"output": pin.output}


def _instant(micros: int) -> str:
    return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def _answers(
    history: History, find_tool: Callable[[str], Tool], timed: bool
) -> dict[str, dict[str, Any]]:
    """The answers by call; by step where there was but one. *timed* keeps how long each took."""
    run = history.run
    found: dict[str, dict[str, Any]] = {}
    for stored in history.events:
        event = stored.event
        if not isinstance(event, CallSucceeded | CallFailed):
            continue
        if is_reading(event.call):
            continue
        step = run.plan.step_of(event.call)
        if not step.construct and not _repeats(find_tool(step.tool), event):
            found[event.call] = _answer(event, stored, timed)
    for call in run.calls if timed else ():
        if not is_reading(call) and not run.plan.step_of(call).construct:
            found[call] = {"fail": {"kind": "lost"}, "after": _NEVER}
    return {**_by_step(found), **_wholes(history)}


def _streams(history: History, read_streams: ReadStreams | None) -> dict[str, dict[str, Any]]:
    """The items of streams, and the failures of reading them, by call."""
    found = readings(history)
    if found and read_streams is None:
        raise ValueInvalid(
            f"the run read the stream of step {found[0].source.name!r}, and what comes from a "
            "stream is not kept; have it read again with --read-streams, or write a test "
            "whose answer is the list of its items"
        )
    answers = {} if read_streams is None or not found else read_streams(found)
    return {**answers, **_failed_readings(history)}


def _failed_readings(history: History) -> dict[str, dict[str, Any]]:
    """By call, such as `load<7#1`; items that were read once more (`load[7]<#1`) are there."""
    failed: dict[str, dict[str, Any]] = {}
    among = readers(history)
    for stored in history.events:
        event = stored.event
        if isinstance(event, CallFailed) and event.call.partition("<")[0] in among:
            failed[event.call] = _answer(event, stored, timed=False)
    return failed


def _repeats(tool: Tool, event: CallSucceeded | CallFailed) -> bool:
    """Whether the tool, called for real in the test, gives the same again."""
    by_chance = isinstance(event, CallFailed) and event.failure.kind in _BY_CHANCE
    return runs_for_real(tool) and not by_chance


def _answer(event: CallSucceeded | CallFailed, stored: StoredEvent, timed: bool) -> dict[str, Any]:
    after = {"after": f"{(stored.wall or 0) // 1000}ms"} if timed else {}
    if isinstance(event, CallFailed):
        return {"fail": _failure(event.failure), **after}
    return {"output": plain(event.output), **after}


def _failure(failure: Failure) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": str(failure.kind), "message": failure.message}
    if failure.retry_after is not None:
        shown["retry_after"] = failure.retry_after
    if failure.details:
        shown["details"] = dict(failure.details)
    return {**shown, "harmless": True} if failure.harmless else shown


def _by_step(answers: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    steps = Counter(_step(call) for call in answers)
    single = {call: _step(call) for call in answers if steps[_step(call)] == 1}
    return {single.get(call, call): answer for call, answer in answers.items()}


def _step(call: str) -> str:
    return call.partition("#")[0].partition("[")[0]


def _wholes(history: History) -> dict[str, dict[str, Any]]:
    """What the engine did itself (sub-chains, waits, approvals), by the end of the step."""
    found: dict[str, dict[str, Any]] = {}
    pins = _start(history).pins or {}
    for life in history.run.lives:
        result = history.steps[life.step.name].result
        if life.step.construct in ("", "stream") or life.step.name in pins:
            continue
        if result.status == "succeeded":
            found[life.step.name] = {"output": result.output}
        elif result.status == "failed" and result.failure is not None:
            found[life.step.name] = {"fail": _failure(result.failure)}
    return found


def _handler(
    store: Store,
    record: RunRecord,
    find_tool: Callable[[str], Tool],
    read_streams: ReadStreams | None,
) -> dict[str, dict[str, Any]]:
    """The answers that the chain of `on_failure` got."""
    if not store.has(handler_id(record.id)):
        return {}
    handler = store.run(handler_id(record.id))
    history = store.history(handler, find_tool)
    answers = {
        **_streams(history, read_streams),
        **_answers(history, find_tool, timed=False),
    }
    return {f"{handler.chain}/{key}": answer for key, answer in answers.items()}


def _events(events: tuple[StoredEvent, ...], began: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for stored in events:
        event = stored.event
        if isinstance(event, CancelRequested):
            at = f"{max(0, event.at - began) // 1000}ms"
            found.append({"at": at, "cancel": event.reason})
        elif isinstance(event, Resolved):
            said: dict[str, Any] = {"resolve": event.call, "outcome": event.outcome}
            said |= {"output": event.output} if event.outcome == "succeeded" else {}
            found.append({**said, "message": event.message} if event.message else said)
    return found


def _expect(history: History, record: RunRecord) -> dict[str, Any]:
    expect: dict[str, Any] = {"status": record.status}
    if record.status == "succeeded":
        expect["output"] = record.output
    if record.failure is not None:
        failure = record.failure
        expect["failure"] = {"kind": str(failure.kind), "message": failure.message}
    expect["steps"] = {name: step.result.status for name, step in history.steps.items()}
    return expect
