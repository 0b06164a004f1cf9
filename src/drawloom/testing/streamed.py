"""What a stored run read from streams: of that the journal keeps only where each stood.

A test needs the items themselves. They can be read anew, as far as the run has read them,
and are only taken if they come as they did: as many behind each cursor, up to the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from drawloom.chains.plan import PlanStep
from drawloom.drivers.embedded.store import History
from drawloom.errors import ToolError, ValueInvalid
from drawloom.kernel import CallFailed
from drawloom.kernel.life import Stream
from drawloom.kernel.messages import Pull, Pulled
from drawloom.testing.engine import runs_for_real
from drawloom.testing.looking import Looks

MOST: Final = 10_000  # items of one run, that are read anew


@dataclass(frozen=True, slots=True)
class Reading:
    """What the step `reader` read of the stream of `source`, opened with `args`.

    `pulls` are the answers that it got, in order, without their items.
    """

    source: PlanStep
    reader: PlanStep
    args: dict[str, Any]
    pulls: tuple[Pulled, ...]

    @property
    def count(self) -> int:
        """How many items were read."""
        return sum(pull.count for pull in self.pulls)

    @property
    def most(self) -> int:
        """How many items were asked for at a time."""
        return self.reader.batch or 1


def is_reading(call: str) -> bool:
    """Whether the call (`load<7#1`, or `load[7]<#1` for items read again) reads a stream."""
    return "<" in call


def readings(history: History) -> tuple[Reading, ...]:
    """What was read of streams; those that a test can open itself are left out."""
    found = []
    for reader, stream in readers(history).items():
        if pulls := _pulls(history, reader):
            step = history.run.plan.by_name[reader]
            found.append(Reading(stream.step, step, dict(stream.args), pulls))
    return tuple(found)


def readers(history: History) -> dict[str, Stream]:
    """The steps that read a stream, which a test cannot open itself, each with its stream."""
    fans = {life.step.name: life.fan for life in history.run.lives if life.fan is not None}
    streams = {name: fan.stream for name, fan in fans.items() if fan.stream is not None}
    return {name: s for name, s in streams.items() if not runs_for_real(_tool(s.step))}


def _tool(step: PlanStep) -> Any:
    return step.spec


def _pulls(history: History, reader: str) -> tuple[Pulled, ...]:
    events = (stored.event for stored in history.events)
    return tuple(e for e in events if isinstance(e, Pulled) and e.call.startswith(f"{reader}<"))


async def read_again(
    found: Sequence[Reading], looks: Looks, slots: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """The answers by the name of the step that streams. *slots* are the run's bindings.

    Raises `ValueInvalid` where there is too much to read, where the reading would do more
    than look, and where not the same comes as came then; `ToolError` where it fails.
    """
    if (count := sum(reading.count for reading in found)) > MOST:
        raise ValueInvalid(
            f"the run read {count:,} items of streams, and at most {MOST:,} are put into a test; "
            "make a test of a run with less data"
        )
    by_source: dict[str, list[tuple[Reading, list[Any]]]] = {}
    for reading in found:
        items = await _items(reading, looks, slots)
        by_source.setdefault(reading.source.name, []).append((reading, items))
    return {source: _answer(source, every) for source, every in by_source.items()}


async def _items(reading: Reading, looks: Looks, slots: Mapping[str, str]) -> list[Any]:
    source = reading.source
    if not looks.may_call(_tool(source)):
        raise ValueInvalid(
            f"step {source.name!r} streams by {source.tool}, which does more than look "
            f"({source.effect}), so it is not read again; write its items by hand"
        )
    connection = None if source.slot is None else slots.get(source.slot, source.slot)
    items: list[Any] = []
    before = None
    for was in reading.pulls:
        command = Pull(was.call, source, reading.args, before, reading.most)
        event = await looks.pull(command, connection)
        if isinstance(event, CallFailed):
            raise ToolError(event.failure)
        _compare(source.name, before, was, event)
        items += event.items or ()
        before = was.after
    return items


def _compare(source: str, before: Any, was: Pulled, now: Pulled) -> None:
    if (was.count, was.after, was.done) == (now.count, now.after, now.done):
        return
    raise ValueInvalid(
        f"the stream of step {source!r} has changed since the run: behind the cursor {before!r} "
        f"{_shown(was)} then, and {_shown(now)} now; no test can be made of what is gone"
    )


def _shown(pull: Pulled) -> str:
    return "came its end" if pull.done else f"came {pull.count} items up to {pull.after!r}"


def _answer(source: str, every: list[tuple[Reading, list[Any]]]) -> dict[str, Any]:
    """One answer for all who read the stream: the items of the one who read on the longest."""
    items = max((items for _, items in every), key=len)
    pieces = [_pieces(one) for one, _ in every]
    same = all(items[: len(other)] == other for _, other in every)
    if not same or (len(every) > 1 and any(pieces)):
        raise ValueInvalid(
            f"steps {', '.join(one.reader.name for one, _ in every)} read the stream of {source!r} "
            "differently, and a test has one answer for all of them; write the test by hand"
        )
    return {"output": items, "chunks": pieces[0]} if pieces[0] else {"output": items}


def _pieces(reading: Reading) -> list[int]:
    """How the items came; empty where each reading but the last gave all that was asked for."""
    counts = [pull.count for pull in reading.pulls if pull.count]
    return counts if any(count < reading.most for count in counts[:-1]) else []
