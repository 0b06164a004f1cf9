"""Run a recorded run again, offline: its journal is fed to a new kernel, no tool is called.

`replay_recorded` uses the plan that the run began with, and says of each step
whether the kernel of this Drawloom decides as the one that ran it did: every
call has the recorded digest, every step its result, and the run its end.

`replay_edited` gives the recorded answers to another chain, and says what would
have been different: steps called with other arguments, steps with another
result, steps that were never called and so have no recorded answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from drawloom.chains.plan import Plan, ToolSpec
from drawloom.dataflow.large_values import plain
from drawloom.drivers.embedded.codec import NO_PAYLOADS, call_digest
from drawloom.drivers.embedded.recovery import PlanShelf, Replayed
from drawloom.drivers.embedded.store import RunRecord, Store, StoredEvent
from drawloom.drivers.results import StepResult, step_result
from drawloom.errors import Failure, JournalMismatch
from drawloom.kernel import CallFailed, CallSucceeded, CallTool, Run

Verdict: TypeAlias = Literal["same", "differs", "added", "removed"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One step: `same`, or why not. `added` and `removed` are against the recorded chain."""

    step: str
    verdict: Verdict
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay found. `end` is that of the run as a whole."""

    run: str
    steps: tuple[Compared, ...]
    end: Compared

    @property
    def same(self) -> bool:
        """Whether everything is as it was recorded."""
        return all(one.verdict == "same" for one in (*self.steps, self.end))


@dataclass(slots=True)
class Differences:
    """What differs, by step; `end` gathers what is of no step."""

    of: dict[str, list[str]] = field(default_factory=dict)
    end: list[str] = field(default_factory=list)

    def add(self, step: str | None, why: str) -> None:
        (self.end if step is None else self.of.setdefault(step, [])).append(why)

    def report(self, run: str, names: Mapping[str, Verdict | None]) -> Report:
        """*names* gives the steps, in order; a verdict where it is settled without more."""
        steps = []
        for name, settled in names.items():
            why = tuple(self.of.get(name, ()))
            steps.append(Compared(name, settled or ("differs" if why else "same"), why))
        end = Compared("", "differs" if self.end else "same", tuple(self.end))
        return Report(run, tuple(steps), end)


def replay_recorded(
    store: Store, record: RunRecord, find_tool: Callable[[str], ToolSpec]
) -> Report:
    """Replay a run on its own plan. Raises `JournalMismatch` where that cannot be had."""
    plan = PlanShelf(store.db, find_tool).get(record.plan)
    events = store.events(record, outside=True)
    found = Differences()
    replayed = Replayed(record.id, plan)
    for event in events:
        try:
            replayed.feed(event.event, event.call, event.digest)
        except JournalMismatch as exc:
            found.add(event.step, str(exc))
            found.add(None, "the replay ends early, at the first answer that does not fit")
            break
    else:
        _compare_answers(replayed.run, events, found)
        _compare_end(replayed.run, record, found)
    return found.report(record.id, dict.fromkeys(step.name for step in plan.steps))


def _compare_answers(run: Run, events: tuple[StoredEvent, ...], found: Differences) -> None:
    """Each step's last recorded answer must be its result."""
    fanned = {life.step.name for life in run.lives if life.fan is not None}
    last: dict[str, StoredEvent] = {}
    for event in events:
        if event.step is not None and event.kind in ("succeeded", "failed"):
            last[event.step] = event
    for name, event in last.items():
        answer = event.event
        if name in fanned or not isinstance(answer, CallSucceeded):
            continue
        life = run.lives[run.plan.by_name[name].index]
        if life.status == "succeeded" and run.scope["steps"].get(name) != answer.output:
            found.add(name, "its result is not the recorded answer")


def _compare_end(run: Run, record: RunRecord, found: Differences) -> None:
    status = _status(run)
    if status != record.status:
        found.add(None, f"the run ends as {status}; recorded is {record.status}")
        return
    if run.finished is None:
        return
    if plain(run.finished.output) != record.output:
        found.add(None, "the output is not the recorded one")
    if not _same_failure(run.finished.failure, record.failure):
        found.add(None, f"it fails with {run.finished.failure}; recorded is {record.failure}")


def _status(run: Run) -> str:
    if run.finished is not None:
        return run.finished.status
    return "unknown" if run.unknown_calls and not run.calls else "running"


def _same_failure(one: Failure | None, other: Failure | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.kind, one.message) == (other.kind, other.message)


# -- against an edited chain -----------------------------------------------------


def replay_edited(
    store: Store, record: RunRecord, find_tool: Callable[[str], ToolSpec], plan: Plan
) -> Report:
    """Give the recorded answers to *plan*, and say what would have been different.

    Raises `ValueInvalid` where the recorded input does not fit the edited chain.
    """
    from drawloom.drivers.embedded.replaying_edited import Rehearsal

    old = PlanShelf(store.db, find_tool).get(record.plan)
    events = store.events(record, outside=True)
    before = Replayed(record.id, old)
    for event in events:
        before.feed(event.event, event.call, event.digest)
    found = Differences()
    run = Rehearsal(plan, record.id, events, before.run.calls, found).done()
    names: dict[str, Verdict | None] = {}
    for step in plan.steps:
        names[step.name] = None if step.name in old.by_name else "added"
        if step.name in old.by_name:
            _compare_step(before.run, run, step.name, found)
    names |= {step.name: "removed" for step in old.steps if step.name not in plan.by_name}
    if run.finished is None and record.over:
        found.add(None, "the run does not come to its end with the recorded answers")
    else:
        _compare_end(run, record, found)
    return found.report(record.id, names)


def _compare_step(before: Run, after: Run, name: str, found: Differences) -> None:
    old, new = _result(before, name), _result(after, name)
    if old.status != new.status:
        why = f": {new.failure}" if new.failure is not None else ""
        found.add(name, f"{new.status}{why}; recorded is {old.status}")
    elif old.output != new.output:
        found.add(name, "another result than the recorded one")
    elif not _same_failure(old.failure, new.failure):
        found.add(name, f"fails with {new.failure}; recorded is {old.failure}")


def _result(run: Run, name: str) -> StepResult:
    return step_result(run, run.lives[run.plan.by_name[name].index])


def digest_of(command: CallTool) -> bytes:
    """The digest of a call; nothing is written."""
    return call_digest(command, NO_PAYLOADS)


def answers(events: tuple[StoredEvent, ...]) -> list[StoredEvent]:
    """The recorded answers of tools, in order."""
    return [e for e in events if isinstance(e.event, (CallSucceeded, CallFailed))]
