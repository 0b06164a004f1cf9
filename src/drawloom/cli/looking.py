"""Show stored runs: a list, one run, one step, and events as they come."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from drawloom.cli import codes, summary
from drawloom.cli.terminal import (
    duration,
    instant,
    json_line,
    print_json,
    print_lines,
    print_table,
    say,
    size,
    status_text,
)
from drawloom.drivers.embedded import owner_of
from drawloom.drivers.embedded.store import History, RunRecord, Store, StoredEvent, StoredStep
from drawloom.errors import DrawloomError, ValueInvalid
from drawloom.project import shapes

if TYPE_CHECKING:
    from drawloom.project import Project

_CODES = {
    "failed": codes.FAILED, "cancelled": codes.FAILED,
    "unknown": codes.WAITING, "waiting": codes.WAITING,
}  # fmt: skip


def print_runs(store: Store, found: Sequence[RunRecord], limit: int, options: str) -> None:
    """A table of runs."""
    if not found:
        say("No runs here yet, or none that fit; `drawloom run FILE` makes one.")
        return
    owned = owner_of(store.state) is not None
    rows = [
        (
            record.id,
            record.chain,
            status_text(record.status if owned or record.over else _idle(record.status)),
            instant(record.started_at),
            duration(record.seconds),
            "" if record.failure is None else str(record.failure),
        )
        for record in found
    ]
    print_table(("RUN", "CHAIN", "STATUS", "STARTED", "TIME", "WHY"), rows)
    if len(found) == limit:
        say(f"There may be more: drawloom runs list --before {found[-1].number}{options}")


def _idle(status: str) -> str:
    """A run that no process has now."""
    return "interrupted" if status in ("queued", "running") else status


def show(
    store: Store,
    project: Project,
    record: RunRecord,
    step: str | None,
    as_json: bool,
    options: str,
) -> int:
    """Show one run, or one step of it."""
    history, why = _history(store, project, record)
    if step is not None:
        return _show_step(record, history, why, step, as_json, options)
    owner = None if record.over else owner_of(store.state)
    if as_json:
        print_json({**_run_json(record, history, why, owner), **_family_json(store, record)})
        return codes.OK
    summary.print_head(record.chain, record.status, record.id, record.seconds)
    print_lines(f"started {instant(record.started_at)}{_owner(record, owner)}")
    if history is None:
        print_lines(f"its steps cannot be worked out: {why}")
    else:
        print_lines("")
        _print_steps(history)
    summary.print_outcome(record.status, record.output, record.failure, record.id, options)
    _print_family(store, record)
    if history is not None and not record.over:
        summary.print_unknown(record.id, history.unknown, options)
        summary.print_waits(history.run, options)
    return codes.OK


def _print_family(store: Store, record: RunRecord) -> None:
    family = store.family(record)
    if family.parent is not None:
        print_lines(f"\nstarted by run {family.parent}, which waits for it as {family.call}")
    if family.children:
        print_lines("\nruns that it started:")
        rows = [(c.id, c.chain, status_text(c.status), c.call) for c in family.children]
        print_table(("RUN", "CHAIN", "STATUS", "FOR"), rows)


def _history(
    store: Store, project: Project, record: RunRecord
) -> tuple[History | None, str | None]:
    """The run worked out from its journal, or why that cannot be done."""
    try:
        return store.history(record, project.catalogue.find), None
    except (DrawloomError, KeyError) as exc:  # a tool of the chain may be gone
        return None, str(exc)


def _owner(record: RunRecord, owner: dict[str, Any] | None) -> str:
    if record.over:
        return ""
    if owner is None:
        return "   no process has it now: it goes on at the next `drawloom run` here"
    return f"   under way in {owner['command']} (process {owner['pid']})"


def _print_steps(history: History) -> None:
    steps = history.steps.values()
    rows = [
        (
            step.name,
            status_text(step.result.status),
            step.result.attempts or "",
            summary.items(step.result),
            duration(step.result.seconds) if step.result.attempts else "",
            duration(step.metrics.cpu / 1_000_000) if step.metrics.calls else "",
            size(step.metrics.bytes_in),
            size(step.metrics.bytes_out),
            "" if step.result.failure is None else str(step.result.failure),
        )
        for step in steps
    ]
    headings = ("STEP", "STATUS", "ATTEMPTS", "ITEMS", "TIME", "CPU", "IN", "OUT", "WHY")
    kept = [i for i in range(9) if i in (0, 1, 2, 4) or any(row[i] for row in rows)]
    print_table([headings[i] for i in kept], [[row[i] for i in kept] for row in rows])


def _run_json(
    record: RunRecord, history: History | None, why: str | None, owner: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        **shapes.record(record),
        "version": None if history is None else history.version,
        "bindings": dict(record.bindings),
        "input": None if history is None else history.run.scope.get("input"),
        "output": record.output,
        "owner": owner,
        "unknown": [] if history is None else list(history.unknown),
        "waits": [] if history is None else list(history.waits),
        "steps": None if history is None else _steps_json(history),
        "steps_missing": why,
    }


def _family_json(store: Store, record: RunRecord) -> dict[str, Any]:
    family = store.family(record)
    children = [
        {"run": c.id, "chain": c.chain, "status": c.status, "call": c.call}
        for c in family.children
    ]
    return {"parent": family.parent, "children": children}


def _steps_json(history: History) -> dict[str, Any]:
    return {name: shapes.stored_step(step) for name, step in history.steps.items()}


def _show_step(
    record: RunRecord,
    history: History | None,
    why: str | None,
    name: str,
    as_json: bool,
    options: str,
) -> int:
    if history is None:
        raise ValueInvalid(f"the steps of run {record.id} cannot be worked out: {why}")
    if name not in history.steps:
        from drawloom.chains.findings import did_you_mean

        advice = did_you_mean(name, history.steps) or f"its steps: {', '.join(history.steps)}"
        raise ValueInvalid(f"run {record.id} has no step {name!r}; {advice}")
    step = history.steps[name]
    events = [event for event in history.events if event.step == name]
    if as_json:
        print_json(
            {
                **shapes.stored_step(step),
                "output": step.result.output,
                "events": [shapes.event(event) for event in events],
            }
        )
        return codes.OK
    _print_step(record, step, events, options)
    return codes.OK


def _print_step(
    record: RunRecord, step: StoredStep, events: list[StoredEvent], options: str
) -> None:
    print_lines(f"{step.name}   {step.tool}   {step.result.status}")
    print_table(
        ("AT", "CALL", "WHAT", "TIME", "WHY"),
        [
            (
                instant(event.at),
                event.call or "",
                event.kind,
                "" if event.wall is None else duration(event.wall / 1_000_000),
                getattr(event.event, "failure", None) or "",
            )
            for event in events
        ],
    )
    if step.result.output is not None:
        command = f"drawloom runs show {record.id} --step {step.name} --json{options}"
        summary.print_value("output", step.result.output, command)


def follow(store: Store, run: str, as_json: bool) -> int:
    """Print the events of a run as they come; the exit code says how it ended."""
    for event in store.follow(run):
        if as_json:
            sys.stdout.write(json_line(shapes.event(event)) + "\n")
        else:
            print_lines(_line(event))
        sys.stdout.flush()
    record = store.run(run)
    if record.status in ("queued", "running"):
        say("No process has this run now; it goes on at the next `drawloom run` here.")
        return codes.WAITING
    say(f"run {run}: {record.status}" + (f": {record.failure}" if record.failure else ""))
    return _CODES.get(record.status, codes.OK)


def _line(event: StoredEvent) -> str:
    failure = getattr(event.event, "failure", None)
    took = "" if event.wall is None else f" in {duration(event.wall / 1_000_000)}"
    what = f"{event.call}: {event.kind}" if event.call else event.kind
    return f"{instant(event.at)}  {what}{took}" + (f": {failure}" if failure else "")
