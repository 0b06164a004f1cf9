"""Cancel a run, or resolve a call: through the process that has the run, or with an own engine."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from drawloom.cli import codes, summary
from drawloom.cli.ending import end
from drawloom.cli.options import options_for, project_of
from drawloom.cli.terminal import print_json, say
from drawloom.dataflow.values import read_json
from drawloom.drivers.embedded import Engine, owner_of
from drawloom.drivers.embedded.requests import ask
from drawloom.drivers.embedded.store import RunRecord, Store
from drawloom.drivers.embedded.store_abandon import abandon
from drawloom.errors import StateUnusable, ValueInvalid
from drawloom.project import shapes

if TYPE_CHECKING:
    from drawloom.project import Project

Outcome = Literal["succeeded", "failed", "again"]

_WAIT = 600.0  # seconds that another process is waited for
_POLL = 0.1


class Act:
    """Something to be done about one stored run."""

    def __init__(
        self,
        project: Project,
        state: Path | None,
        id: str,
        wait: bool,
        as_json: bool,
        options: str,
    ) -> None:
        self._options = options
        self._project = project
        self._state = state or project.state
        self._wait = wait
        self._as_json = as_json
        with Store(self._state) as store:
            self._record = store.run(id)
        self._run = self._record.id
        if self._record.over:
            raise ValueInvalid(
                f"run {self._run} is over: it {_ended(self._record.status)}; that never changes"
            )

    def cancel(self, reason: str) -> int:
        """Ask the run to stop; 0 if it is then cancelled."""

        async def apply(engine: Engine) -> None:
            await engine.cancel(self._run, reason)

        record = self._do({"do": "cancel", "run_id": self._run, "reason": reason}, apply)
        if not record.over and not self._wait:
            return codes.OK
        if record.status in ("unknown", "waiting"):
            return codes.WAITING
        return codes.OK if record.status == "cancelled" else codes.FAILED

    def resolve(self, call: str, outcome: Outcome, output: str | None, message: str) -> int:
        """Say how *call* ended; the exit code is that of the run."""
        value = None if output is None else read_json(output, source="--output")
        self._refuse_call(call)

        async def apply(engine: Engine) -> None:
            # A run that was taken up again first comes to where it stood.
            await engine.wait(self._run)
            await engine.resolve(self._run, call, outcome, value, message)

        asked = {"do": "resolve", "run_id": self._run, "call": call, "outcome": outcome,
                 "output": value, "message": message}  # fmt: skip
        return self._end_of(self._do(asked, apply))

    def signal(self, name: str, payload: Any) -> int:
        """Send a signal; the exit code is that of the run."""

        async def apply(engine: Engine) -> None:
            await engine.wait(self._run)
            await engine.signal(self._run, name, payload)

        asked = {"do": "signal", "run_id": self._run, "name": name, "payload": payload}
        return self._end_of(self._do(asked, apply))

    def approve(self, said: dict[str, Any]) -> int:
        """Answer what a step asks; the exit code is that of the run."""

        async def apply(engine: Engine) -> None:
            await engine.wait(self._run)
            await engine.approve(self._run, **said)

        return self._end_of(self._do({"do": "approve", "run_id": self._run, **said}, apply))

    def fields(self, step: str, written: Sequence[str]) -> dict[str, Any]:
        """Answers given as NAME=VALUE, read by the types of the form that *step* shows."""
        from drawloom.cli.inputs import read_fields

        with Store(self._state) as store:
            waits = store.history(self._record, self._project.catalogue.find).run.waits
        asked = [w for w in waits.values() if step in (w.call, w.place)]
        form = asked[0].args.get("form") if asked else None
        return read_fields(written, {"type": "object", "properties": form or {}}, "--field")

    def _end_of(self, record: RunRecord) -> int:
        if not self._wait:
            return codes.OK
        open_ones = ("unknown", "running", "waiting", "queued")
        ends = {"succeeded": codes.OK, **dict.fromkeys(open_ones, codes.WAITING)}
        return ends.get(record.status, codes.FAILED)

    def abandon(self, reason: str) -> int:
        """End the run by a person's word alone."""
        abandon(self._state, self._run, reason)
        self._tell(self._now())
        return codes.OK

    # -- how ---------------------------------------------------------------------

    def _do(self, asked: dict[str, Any], apply: Callable[[Engine], Awaitable[None]]) -> RunRecord:
        if owner_of(self._state) is not None:
            ask(self._state, asked)
            record = self._settled() if self._wait else self._now()
        else:
            asyncio.run(self._with_engine(apply))
            record = self._now()
        self._tell(record)
        return record

    async def _with_engine(self, apply: Callable[[Engine], Awaitable[None]]) -> None:
        """Take up this run alone: the others stay for the next `drawloom run`."""
        settings = self._project.settings
        durability = "full" if settings.durability == "memory" else settings.durability
        engine = self._project.engine(durability, self._state, recover=(self._run,))
        async with engine:
            if why := engine.unrecovered.get(self._run):
                raise StateUnusable(
                    f"run {self._run} cannot be taken up: {why}. "
                    f"`drawloom runs cancel {self._run} --abandon{self._options}` ends it without clean-up"
                )
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._leave)
            await apply(engine)
            await engine.settled()  # the runs that started it, or that it started, go on too

    def _leave(self) -> None:
        say(f"Left at once. Run {self._run} goes on at the next start of an engine here.")
        end(codes.INTERRUPTED)

    def _settled(self) -> RunRecord:
        """Wait for the process that has the run."""
        until = time.monotonic() + _WAIT
        record = self._now()
        while record.status in ("queued", "running") and time.monotonic() < until:
            if owner_of(self._state) is None:
                break  # it is gone; the run goes on at the next start
            time.sleep(_POLL)
            record = self._now()
        return record

    def _now(self) -> RunRecord:
        with Store(self._state) as store:
            return store.run(self._run)

    def _refuse_call(self, call: str) -> None:
        with Store(self._state) as store:
            waiting = store.history(self._record, self._project.catalogue.find).unknown
        if call not in waiting:
            known = ", ".join(waiting) or "no call"
            raise ValueInvalid(f"run {self._run} does not wait for {call!r}; it waits for {known}")

    def _tell(self, record: RunRecord) -> None:
        if self._as_json:
            print_json({**shapes.record(record), "output": record.output})
            return
        summary.print_head(record.chain, record.status, record.id, record.seconds)
        summary.print_outcome(
            record.status, record.output, record.failure, record.id, self._options
        )
        if not record.over:
            say(f"To look further: drawloom runs show {record.id}{self._options}")


def act_on(id: str, wait: bool, as_json: bool, state: Path | None, project: Path | None) -> Act:
    """What is to be done about the run *id* of the project or state that the options name."""
    found = project_of(project)
    return Act(found, state, id, wait, as_json, options_for(found, project, state))


def _ended(status: str) -> str:
    return "was cancelled" if status == "cancelled" else status
