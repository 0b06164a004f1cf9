"""Put runs that a dead process left back to where they stood, and link those that belong together."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import apsw

from drawloom.dataflow.expressions import INLINE
from drawloom.db import queries
from drawloom.drivers.embedded.clock import now
from drawloom.drivers.embedded.codec import failure_from, restored
from drawloom.drivers.embedded.recovery import PlanShelf, Replayed, payloads_of, replay
from drawloom.drivers.embedded.runner import Runner
from drawloom.drivers.family import answer, child_id
from drawloom.errors import Failure, FailureKind
from drawloom.kernel import AwaitResolution, CallFailed, Finish
from drawloom.kernel.life import Life
from drawloom.kernel.messages import StartChild

if TYPE_CHECKING:
    from drawloom.drivers.embedded.engine import Engine
    from drawloom.drivers.embedded.linking import Links
    from drawloom.drivers.embedded.pump import Pump

_SQL = queries("journal")
_LOST = Failure(FailureKind.LOST, "the process ended during the call")


def families(rows: Sequence[Any], wanted: Collection[str]) -> set[str]:
    """The ids of *wanted*, of the runs that started them, and of those that they started."""
    above = {row[0]: row[7] for row in rows}
    ids = {row[0]: row[1] for row in rows}
    roots = {_root(number, above) for number, run_id in ids.items() if run_id in wanted}
    return {run_id for number, run_id in ids.items() if _root(number, above) in roots}


def _root(number: int, above: dict[int, int | None]) -> int:
    while (parent := above.get(number)) is not None and parent in above:
        number = parent
    return number


def resume(
    engine: Engine,
    pump: Pump,
    links: Links,
    db: apsw.Connection,
    shelf: PlanShelf,
    rows: Sequence[Any],
) -> None:
    """Take up the runs of *rows*; why one cannot go on is noted in `engine.unrecovered`."""
    blobs = pump.blobs
    assert blobs is not None
    taken: list[tuple[Runner, Replayed]] = []
    for row in rows:
        number, run_id, _, digest, *_ = row
        try:
            replayed = replay(db, blobs, run_id, number, shelf.get(digest))
        except Exception as exc:  # noqa: BLE001  # this run alone cannot go on; the others must
            engine.unrecovered[run_id] = str(exc)
            continue
        runner = engine.resumed(row, replayed.run)
        runner.seq, runner.started_at = replayed.seq, replayed.started_at
        runner.commands = dict(replayed.calls)
        taken.append((runner, replayed))
    _leave_orphans(engine, pump, taken, {row[0]: row[1] for row in rows}, rows)
    for runner, replayed in taken:
        if replayed.admit is not None:
            links.resume_turn(runner, replayed.admit)
    for runner, replayed in taken:
        if runner.run_id in pump.runners:
            _go_on(pump, links, db, runner, replayed)


def _leave_orphans(
    engine: Engine,
    pump: Pump,
    taken: Sequence[tuple[Runner, Replayed]],
    ids: dict[int, str],
    rows: Sequence[Any],
) -> None:
    """Link runs with their parents; what waits for a run that cannot go on cannot either."""
    above = {row[1]: ids.get(row[7]) for row in rows}
    by_id = {runner.run_id: runner for runner, _ in taken}
    for run_id in list(engine.unrecovered):
        parent = above.get(run_id)
        while parent is not None:
            engine.unrecovered.setdefault(parent, f"run {run_id}, which it started, cannot go on")
            pump.runners.pop(parent, None)
            parent = above.get(parent)
    for run_id, runner in by_id.items():
        found = by_id.get(above.get(run_id) or "")
        if found is not None and found.run_id in pump.runners:
            runner.parent = found
            found.children[runner.parent_call] = runner


def _go_on(
    pump: Pump, links: Links, db: apsw.Connection, runner: Runner, replayed: Replayed
) -> None:
    run = runner.run
    pump.telling.started(runner, now(), resumed=True)
    run.use_budget(INLINE)
    if run.finished is not None:
        if runner.plan.on_failure:
            links.handle_failure(runner)
        pump.queue(runner, run.finished)
        return
    if run.stalled:
        pump.queue(runner, AwaitResolution(run.unknown_calls, tuple(run.waits)))
    for command in replayed.open_evaluations:
        pump.queue(runner, command)
    for call, due in run.timers.items():
        pump.set_timer(runner, call, due)
    for call, life in list(run.calls.items()):
        if life.step.construct == "chain":
            _go_on_with_child(pump, db, runner, call, life)
        elif life.status == "running" and life.step.construct in ("", "stream"):
            pump.post(runner, CallFailed(call, _LOST, now()))
    if replayed.admit is not None and not run.admitted:
        links.admit(runner, replayed.admit)


def _go_on_with_child(
    pump: Pump, db: apsw.Connection, runner: Runner, call: str, life: Life
) -> None:
    """The run that answers *call* goes on by itself, is over, or was never started."""
    if life.status != "running" or call in runner.children:
        if call in runner.children and (life.cut or life.failure is not None):
            pump.links.stop_child(runner, call)
        return
    assert life.step.child is not None and pump.blobs is not None
    child = child_id(runner.run_id, call)
    row: Any = db.execute(_SQL["run"], (child,)).fetchone()
    if row is None:
        given = life.args.get("input") or {}
        pump.queue(runner, StartChild(call, life.step, life.step.child, given))
        return
    output = restored(row[8], row[9], payloads_of(db, row[0]), pump.blobs)
    failure = None if row[10] is None else failure_from(json.loads(row[10]))
    finish = Finish(row[4], output, failure)
    pump.post(runner, answer(call, child, life.step.child, finish, now()))
