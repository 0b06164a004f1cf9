"""Where a run begins: pins, parts and start keys, from the command line or an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drawloom.chains import Plan
from drawloom.cli.options import Beginnings
from drawloom.dataflow.values import read_json
from drawloom.drivers.starting import Beginning
from drawloom.errors import ValueInvalid
from drawloom.kernel import Pin, Run
from drawloom.kernel.partial import before, behind, check

_LARGEST = 64 << 20  # bytes


def beginning_of(plan: Plan, given: Beginnings) -> Beginning:
    """What the options of `drawloom run` say. Raises `ValueInvalid`."""
    pins = _pins(plan, given.pin or ())
    only = None if given.only is None else tuple(given.only)
    if given.to is not None:
        if only is not None:
            raise ValueInvalid("--to and --only: give one of them")
        _step(plan, given.to)
        only = tuple(s.name for s in plan.steps if s.name in {given.to, *before(plan, given.to)})
    return Beginning(given.key, pins, only)


def rerun_of(plan: Plan, run: Run, start: str, pins: Sequence[str], *, only: bool) -> Beginning:
    """Begin at the step *start* again: all that does not rest on it is as *run* left it.

    With *only* that step alone runs. Raises `ValueInvalid` where something that is
    needed has no recorded result.
    """
    _step(plan, start)
    again = {start} if only else {start, *behind(plan, start)}
    given = _pins(plan, pins)
    recorded = {}
    for life in run.lives:
        name = life.step.name
        if name not in again and name in plan.by_name and (pin := _recorded(run, name)):
            recorded[name] = pin
    chosen = tuple(step.name for step in plan.steps if step.name in again)
    beginning = Beginning(None, {**recorded, **given}, chosen if only else None)
    check(plan, beginning.pins, chosen)
    return beginning


def _recorded(run: Run, name: str) -> Pin | None:
    """How a step of a recorded run ended; None where it did not."""
    life = next(life for life in run.lives if life.step.name == name)
    if life.status == "succeeded":
        return Pin("succeeded", run.scope["steps"].get(name))
    if life.status == "skipped":
        return Pin("skipped")
    if life.status == "failed":
        return Pin("failed", None, life.failure)
    return None


def _step(plan: Plan, name: str) -> None:
    check(plan, (name,), None)


def _pins(plan: Plan, written: Sequence[str]) -> dict[str, Pin]:
    pins = {}
    for text in written:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueInvalid(f"--pin {text}: write STEP=JSON or STEP=@FILE")
        _step(plan, name)
        pins[name] = Pin("succeeded", _value(name, value))
    return pins


def _value(name: str, written: str) -> object:
    if not written.startswith("@"):
        return read_json(written, source=f"--pin {name}")
    path = Path(written[1:])
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ValueInvalid(f"--pin {name}: cannot read {path}: {exc.strerror}") from None
    return read_json(content, source=str(path), max_bytes=_LARGEST)
