"""Work out what a run would do, and show it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

from drawloom.chains import Plan
from drawloom.cli import codes
from drawloom.cli.terminal import console, counted, json_line, print_json, shown
from drawloom.doors import Doors
from drawloom.project import Project
from drawloom.project.binding import Bound
from drawloom.sdk.planning import Touch
from drawloom.testing.looking import Looks
from drawloom.testing.masking import Masking
from drawloom.testing.planned import Planned
from drawloom.testing.planning import Forecast

_LONGEST = 300  # characters of an argument
_COLOURS = {"calls": "green", "maybe": "yellow", "skipped": "dim", "fails": "red"}


def show_plan(
    project: Project,
    plan: Plan,
    accepted: Mapping[str, Any],
    bound: Bound,
    read: bool,
    as_json: bool,
) -> int:
    """Show what a run of *plan* would do; the exit code."""
    steps = asyncio.run(_forecast(project, plan, accepted, bound, read))
    connections = {slot: bound.slots.get(slot, slot) for slot in plan.slots}
    whole = {
        "chain": plan.name,
        "input": dict(accepted),
        "connections": connections,
        "steps": [_as_json(step) for step in steps],
    }
    masked = Masking().mask(whole)
    if as_json:
        print_json(masked)
    else:
        _print(masked)
    return codes.FAILED if any(step.state == "fails" for step in steps) else codes.OK


async def _forecast(
    project: Project, plan: Plan, accepted: Mapping[str, Any], bound: Bound, read: bool
) -> list[Planned]:
    connections = {**project.connections, **bound.extra}
    doors = Doors(root=project.folder)
    async with Looks(
        project.catalogue, connections, doors, reads=read, source=project.secrets
    ) as looks:
        now = time.time_ns() // 1000
        forecast = Forecast(plan, accepted, bound.slots, looks, now)
        return [step async for step in forecast.steps()]


def _as_json(step: Planned) -> dict[str, Any]:
    touches = None if step.touches is None else [_touch(touch) for touch in step.touches]
    return {
        "step": step.name,
        "tool": step.tool,
        "effect": step.effect,
        "state": step.state,
        "why": step.why,
        "args": dict(step.args),
        "waits_for": {name: list(steps) for name, steps in step.waits_for.items()},
        "items": step.items,
        "touches": touches,
        "known": step.known,
    }


def _touch(touch: Touch) -> dict[str, Any]:
    return {
        "does": touch.does,
        "what": touch.what,
        "count": touch.count,
        "estimated": touch.estimated,
        "more": dict(touch.more),
    }


def _print(whole: Mapping[str, Any]) -> None:
    from rich.text import Text

    out = console()
    for name, value in whole["input"].items():
        out.print(Text(f"input {shown(name)} = {_short(value)}"), soft_wrap=True)
    for slot, name in whole["connections"].items():
        out.print(Text(f"connection {shown(slot)} = {shown(name)}"), soft_wrap=True)
    for step in whole["steps"]:
        why = f": {shown(step['why'])}" if step["why"] else ""
        head = Text.assemble(
            (shown(step["step"]), "bold"),
            f"  {shown(step['tool'])} ({step['effect']})  ",
            (step["state"], _COLOURS[step["state"]]),
            why,
        )
        out.print(head, soft_wrap=True)
        for line in _lines(step):
            out.print(Text(f"    {line}"), soft_wrap=True)


def _lines(step: Mapping[str, Any]) -> Iterator[str]:
    if step["items"] is not None:
        yield f"for each of {counted(step['items'], 'item')}; the first:"
    for name, value in step["args"].items():
        yield f"{shown(name)}: {_short(value)}"
    for name, steps in step["waits_for"].items():
        yield f"{shown(name)}: unknown until {', '.join(map(shown, steps))} has run"
    for touch in step["touches"] or ():
        yield f"→ {_told(touch)}"
    told = step["touches"] is not None or step["effect"] == "pure" or step["tool"] == "core.chain"
    if step["state"] in ("calls", "maybe") and not told and not step["waits_for"]:
        yield "→ what it touches, the tool cannot say"


def _told(touch: Mapping[str, Any]) -> str:
    count = ""
    if touch["count"] is not None:
        count = f"{'about ' if touch['estimated'] else ''}{touch['count']:,} "
    more = f" {json_line(touch['more'])}" if touch["more"] else ""
    return f"{touch['does']} {count}{shown(touch['what'])}{more}"


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and value.keys() == {"$stream"}:
        return f"the stream of {shown(value['$stream']['step'])}"
    text = shown(json_line(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}[…]"
