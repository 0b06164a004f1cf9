"""Run a chain from the command line: start it, show it, stop it, tell its end."""

from __future__ import annotations

import asyncio
import gc
import re
import signal
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from drawloom.chains import Plan
from drawloom.cli import codes, summary
from drawloom.cli.board import Board, now
from drawloom.cli.ending import end
from drawloom.cli.progress import Progress, progress_for
from drawloom.cli.terminal import counted, print_json, print_lines, say
from drawloom.drivers.embedded import Engine, Result, new_run_id
from drawloom.drivers.embedded.store import Store
from drawloom.drivers.starting import Beginning
from drawloom.errors import StateUnusable, ValueInvalid
from drawloom.project import shapes

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_FLUSH = 2.0  # seconds that leaving may take
_CODES = {"succeeded": codes.OK, "unknown": codes.WAITING, "waiting": codes.WAITING}


@dataclass(frozen=True, slots=True)
class Job:
    """A run to be made: everything has been checked, nothing has been started."""

    plan: Plan
    input: Mapping[str, Any]
    bindings: Mapping[str, str]
    run: str
    progress: str  # live, lines or none
    as_json: bool
    beginning: Beginning
    wait: bool  # for people and signals, too
    options: str  # what the commands that look further need: ` --project …`


@dataclass(slots=True)
class Stop:
    """How often somebody asked to stop, and what to do about it."""

    job: Job
    engine: Engine
    progress: Progress
    main: asyncio.Task[Result]
    left: asyncio.Event = field(default_factory=asyncio.Event)
    asked: bool = False

    def interrupt(self) -> None:
        """Ctrl-C: the first time the run is asked to stop, the second time it is left."""
        if self.asked or self.main.done():
            self.left.set()
            return
        self.asked = True
        self.progress.note(
            "Asked the run to stop, and wait for its clean-up. Ctrl-C again leaves at once."
        )
        asyncio.get_running_loop().create_task(self._cancel())

    async def _cancel(self) -> None:
        with suppress(ValueInvalid):  # it has ended meanwhile
            await self.engine.cancel(self.job.run, "interrupted from the keyboard")


def run_id(given: str | None) -> str:
    """The id *given*, if it can be one, or a new id."""
    if given is not None and not _ID.match(given):
        raise ValueInvalid(f"--id {given!r}: up to 100 letters, digits, dots, dashes and _")
    return given or new_run_id()


def run_job(engine: Engine, job: Job) -> int:
    """Run it; the exit code."""
    gc.freeze()  # what is loaded by now stays: a fifth of the time of many calls was its collector's
    return asyncio.run(_run(engine, job))


async def _run(engine: Engine, job: Job) -> int:
    async with engine:
        _refuse_taken(engine, job.run)
        tools = {step.name: step.tool for step in job.plan.steps}
        board = Board(job.run, job.plan.name, tools)
        resumed, waiting = _resumed(engine)
        with progress_for(board, job.progress) as progress:
            engine.watch(progress.sink)
            _tell_of_others(engine, progress, job, resumed, waiting)
            main = asyncio.create_task(
                engine.run(
                    job.plan,
                    job.input,
                    run_id=job.run,
                    bindings=job.bindings,
                    beginning=job.beginning,
                    acknowledge=progress.acknowledge,
                )
            )
            if job.wait:
                main = asyncio.create_task(_outcome(engine, main))
            stop = Stop(job, engine, progress, main)
            _on_signals(stop)
            await _until(stop, main)
        if stop.left.is_set():
            await _leave(job, engine, stop)
        result = main.result()
        _print(job, result, tools, (now() - board.began) / 1_000_000)
        await _until_others(stop, resumed)
        await _until(stop, asyncio.create_task(engine.settled()))  # what it started, too
    if stop.asked and result.status == "cancelled":
        return codes.INTERRUPTED
    return _CODES.get(result.status, codes.FAILED)


async def _outcome(engine: Engine, main: asyncio.Task[Result]) -> Result:
    return await engine.outcome((await main).run)


def _on_signals(stop: Stop) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.interrupt)
    loop.add_signal_handler(signal.SIGTERM, stop.left.set)


async def _until(stop: Stop, *work: asyncio.Future[Any]) -> None:
    """Wait for *work*, or until somebody leaves."""
    left = asyncio.create_task(stop.left.wait())
    pending: set[asyncio.Future[Any]] = set(work)
    while pending and not left.done():
        _, rest = await asyncio.wait({*pending, left}, return_when=asyncio.FIRST_COMPLETED)
        pending = rest - {left}
    left.cancel()


async def _leave(job: Job, engine: Engine, stop: Stop) -> None:
    """Leave at once: the journal keeps what has happened, as it does after a crash."""
    with suppress(TimeoutError, StateUnusable):  # that it was cancelled is not to be forgotten
        await asyncio.wait_for(engine.flush(), _FLUSH)
    command = f"drawloom runs cancel {job.run}{job.options}"
    if engine.state is None:
        say(f"Left at once. Run {job.run} was kept in memory only, and is gone.")
    else:
        what = "its clean-up goes on" if stop.asked else "it goes on"
        say(
            f"Left at once. Run {job.run} is not over: {what} at the next start of an engine "
            f"here, with any `drawloom run`. To cancel it: {command}"
        )
    end(codes.INTERRUPTED if stop.asked else codes.TERMINATED)


def _refuse_taken(engine: Engine, run: str) -> None:
    if engine.state is None:
        return
    with Store(engine.state) as store:
        if store.has(run):
            raise ValueInvalid(f"--id {run}: there is a run of that id; leave --id out")


# -- runs that an earlier process left -------------------------------------------


def _resumed(engine: Engine) -> tuple[dict[str, asyncio.Task[Result]], int]:
    """The runs that go on now, and how many only wait for a person, as they did before."""
    if not engine.recovered or engine.state is None:
        return {}, 0
    with Store(engine.state) as store:
        most = len(engine.recovered)
        known = (*store.list("unknown", limit=most), *store.list("waiting", limit=most))
    waiting = {record.id for record in known} & set(engine.recovered)
    going = [run for run in engine.recovered if run not in waiting]
    return {run: asyncio.create_task(engine.wait(run)) for run in going}, len(waiting)


def _tell_of_others(
    engine: Engine, progress: Progress, job: Job, resumed: Collection[str], waiting: int
) -> None:
    if resumed:
        runs = ", ".join(resumed)
        progress.note(f"Taken up again where an earlier process left off: {runs}")
    if waiting:
        progress.note(
            f"{counted(waiting, 'earlier run')} waiting for a person or a signal: "
            f"drawloom runs list --status unknown{job.options} (or waiting)"
        )
    for run, why in engine.unrecovered.items():
        progress.note(
            f"Run {run} cannot go on: {why}. To look: drawloom runs show {run}{job.options}"
        )


async def _until_others(stop: Stop, resumed: Mapping[str, asyncio.Task[Result]]) -> None:
    waiting = [task for task in resumed.values() if not task.done()]
    if waiting:
        runs = counted(len(waiting), "resumed run")
        say(f"Waiting for {runs}; Ctrl-C leaves them for the next start.")
        await _until(stop, *waiting)
    for run, task in resumed.items():
        say(_end_of(run, task))
    if stop.left.is_set() and not all(task.done() for task in waiting):
        end(codes.INTERRUPTED)


def _end_of(run: str, task: asyncio.Task[Result]) -> str:
    if not task.done():
        return f"run {run}: not over; it goes on at the next start"
    return f"run {run}: {task.exception() or task.result().status}"


# -- telling ---------------------------------------------------------------------


def _print(job: Job, result: Result, tools: Mapping[str, str], seconds: float) -> None:
    if job.as_json:
        print_json(shapes.result(result, tools))
        return
    summary.print_head(result.chain, result.status, result.run, seconds)
    summary.print_steps(result.steps)
    summary.print_outcome(result.status, result.output, result.failure, result.run, job.options)
    if result.status in ("unknown", "waiting"):
        summary.print_unknown(result.run, result.unknown, job.options)
        summary.print_waits(result.kernel, job.options)
    elif job.options is not None:
        print_lines(f"\nTo look further: drawloom runs show {result.run}{job.options}")


def progress_mode(watch: bool | None, as_json: bool) -> str:
    """`live`, `lines` or `none`. *watch* is what was asked for, None where nothing was."""
    if watch is False:
        return "none"
    if sys.stderr.isatty():
        return "live"
    return "none" if as_json and watch is None else "lines"
