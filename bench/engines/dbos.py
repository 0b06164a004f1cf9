"""DBOS: decorated functions whose results are stored, here in SQLite.

Its settings are those it has by itself. Runs are started as its guide shows for
asyncio: a workflow is awaited, and gathers its steps where they are independent.
"""

# mypy: disable-error-code="import-not-found,untyped-decorator"

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dbos import DBOS, SetWorkflowID

from bench import steps
from bench.steps import EffectLog

# One version and one executor, so that a later process takes the work up again.
CONFIG = {"name": "bench", "log_level": "ERROR", "application_version": "1"}

log: EffectLog | None = None


@DBOS.step()
async def _step(v: int) -> int:
    return await steps.step(v)


@DBOS.step()
async def _work(v: int) -> int:
    return await steps.work(v)


@DBOS.step()
async def _nap(v: int) -> int:
    return await steps.nap(v)


@DBOS.step()
async def _carry(passed: dict[str, Any]) -> dict[str, Any]:
    return steps.carry(passed["rows"], passed["n"])


@DBOS.step()
async def _effect(run: int, step: int, seconds: float) -> int:
    if log is None:
        raise RuntimeError("a workflow was taken up again outside W6")
    return await log.effect(run, step, seconds)


@DBOS.workflow()
async def _ten(v: int) -> int:
    for _ in range(steps.LENGTH):
        v = await _step(v)
    return v


@DBOS.workflow()
async def _fan(items: list[int]) -> int:
    return sum(await asyncio.gather(*(_work(v) for v in items)))


@DBOS.workflow()
async def _sleepy(v: int) -> int:
    return int(await _nap(v))


@DBOS.workflow()
async def _carried(rows: list[dict[str, Any]]) -> dict[str, Any]:
    passed: dict[str, Any] = {"rows": rows, "n": 0}
    for _ in range(steps.MAPPED):
        passed = await _carry(passed)
    return passed


@DBOS.workflow()
async def _slow(run: int, seconds: float) -> int:
    step = 0
    while step < steps.LENGTH:
        step = await _effect(run, step, seconds)
    return step


class Workflows:
    """Calls the workflows of this module."""

    async def ten(self, v: int) -> int:
        """See `Programs`."""
        return int(await _ten(v))

    async def fan_out(self, items: list[int]) -> int:
        """See `Programs`."""
        return int(await _fan(items))

    async def nap(self, v: int) -> int:
        """See `Programs`."""
        return int(await _sleepy(v))

    async def carry(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """See `Programs`."""
        made: dict[str, Any] = await _carried(rows)
        return made


@asynccontextmanager
async def opened(variant: str, state: Path) -> AsyncIterator[Workflows]:
    """See `Module`."""
    DBOS(config={**CONFIG, "system_database_url": f"sqlite:///{state / 'dbos.db'}"})
    DBOS.launch()
    try:
        yield Workflows()
    finally:
        DBOS.destroy()


async def begin(state: Path, effects: EffectLog, runs: int, seconds: float) -> None:
    """Start *runs* slow runs, and be killed while they go on."""
    global log
    log = effects
    async with opened("", state):
        handles = []
        for run in range(runs):
            with SetWorkflowID(f"run-{run}"):
                handles.append(await DBOS.start_workflow_async(_slow, run, seconds))
            effects.write(run, 0, "started")
        await asyncio.gather(*(handle.get_result() for handle in handles))


async def resume(state: Path, effects: EffectLog, runs: int) -> list[str]:
    """Start again after the kill; the final status of each run."""
    global log
    log = effects
    async with opened("", state):
        handles = [await DBOS.retrieve_workflow_async(f"run-{run}") for run in range(runs)]
        await asyncio.gather(*(handle.get_result() for handle in handles))
        return ["succeeded" for handle in handles]
