"""Every engine that is installed gives the results that the chains have."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from bench import peers, steps
from bench.engines import ENGINES, Engine, Module
from bench.processes import ask
from bench.recovery import recover

HERE = [e for e in ENGINES if e.home == "here" and e.loop == "asyncio" and "W1" not in e.lacks]
ELSEWHERE = [e for e in ENGINES if e.home != "here"]
TINY = {"seconds": 0.01, "workers": 2, "fan_out": 5, "parallel": 3, "repeats": 1}


@pytest.mark.parametrize("engine", HERE, ids=lambda engine: engine.name)
async def test_the_programs_here_give_their_results(engine: Engine, tmp_path: Path) -> None:
    module: Module = importlib.import_module(f"bench.engines.{engine.module}")
    rows = steps.document(500)
    async with module.opened(engine.variant, tmp_path) as programs:
        assert await programs.ten(5) == 15
        assert await programs.fan_out([1, 2, 3]) == 12
        assert await programs.fan_out([7]) == 14
        assert await programs.nap(3) == 3
        assert await programs.carry(rows) == {"rows": rows, "n": 5}


@pytest.mark.parametrize("engine", ELSEWHERE, ids=lambda engine: engine.name)
@pytest.mark.parametrize("workload", ["W1", "W2", "W3", "W4"])
def test_the_peers_do_the_work(engine: Engine, workload: str, tmp_path: Path) -> None:
    if why := peers.ready([engine], install=False).get(engine.home):
        pytest.skip(f"{engine.title} is {why}: `python -m bench` installs it")
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(steps.document(500)))
    options = {**TINY, "document": 500, "state": str(tmp_path), "rows": str(rows)}
    assert ask(engine, workload, options)["metrics"]["rss_mb"] > 10


def test_drawloom_loses_no_run_to_a_kill(tmp_path: Path) -> None:
    engine = next(e for e in ENGINES if e.name == "drawloom-full")
    found = recover(engine, tmp_path, 5)
    assert (found["lost"], found["repeated_more"]) == (0, 0)
