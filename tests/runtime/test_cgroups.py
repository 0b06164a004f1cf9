"""Control groups: how they are read and written, and what real ones do to isolated calls."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.errors import FailureKind
from drawloom.policies import Resources
from drawloom.project.own_tools import own_tools
from drawloom.runtime.isolation import cgroups, pool
from drawloom.runtime.isolation.cgroups import CgroupsUnusable, Group, Nest
from drawloom.runtime.isolation.pool import IsolatedCallFailed, Isolation
from drawloom.runtime.isolation.usage import seen
from drawloom.sdk import Context

FOLDER = Path(__file__).parent / "isolated_tools"
MB = 1_000_000
TOOLS = {made.name: made for made in own_tools(FOLDER, ["lab.py"])[0]}


@pytest.fixture
async def grouped(control_group: Path) -> AsyncIterator[Isolation]:
    made = Isolation(cgroup=str(control_group))
    yield made
    await made.aclose()
    assert engines(control_group) == []


def engines(place: Path) -> list[Path]:
    return list(place.glob("drawloom-*"))


async def refused(made: Isolation, name: str, limits: Resources, **args: Any) -> Any:
    with pytest.raises(IsolatedCallFailed) as caught:
        await made.call(TOOLS[f"my.{name}"], args, Context(), limits)
    return caught.value.failure


# -- on files that look like those of the kernel -----------------------------------


def test_what_the_kernel_counts_is_read(tmp_path: Path) -> None:
    files = {
        "cgroup.procs": "12\n345\n",
        "cpu.stat": "usage_usec 1500\nuser_usec 1000\n",
        "memory.peak": "4096\n",
        "memory.events": "low 0\noom 2\noom_kill 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    group = Group(tmp_path)
    assert group.members() == [12, 345]
    assert group.cpu_time() == 1_500_000
    assert group.peak_memory() == 4096
    assert group.was_out_of_memory()


def test_what_the_kernel_does_not_count_is_nothing(tmp_path: Path) -> None:
    group = Group(tmp_path)
    assert (group.members(), group.cpu_time(), group.peak_memory()) == ([], 0, 0)
    assert not group.was_out_of_memory()


def test_only_limits_that_the_group_has_are_set(tmp_path: Path) -> None:
    for name in ("memory.max", "memory.swap.max", "memory.oom.group"):
        (tmp_path / name).touch()
    Group(tmp_path).limit(Resources(memory=70 * MB), 3)
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"memory.max": "70000000", "memory.swap.max": "0", "memory.oom.group": "1"}


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CgroupsUnusable, match="no control group of version 2"):
        Nest(str(tmp_path))


def test_only_a_group_that_is_marked_as_delegated_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = tmp_path / "system.slice" / "loom.service"
    (service / "engine").mkdir(parents=True)
    monkeypatch.setattr(cgroups, "_above", lambda: [service / "engine", service, service.parent])
    with pytest.raises(CgroupsUnusable, match="none is delegated"):
        cgroups.home(None)
    monkeypatch.setattr(os, "getxattr", lambda path, name: b"1" if path == service else b"0")
    assert cgroups.home(None) == service


# -- on real ones --------------------------------------------------------------------


async def test_what_a_dead_process_left_in_another_session_is_gone_with_the_call(
    grouped: Isolation, tmp_path: Path
) -> None:
    failure = await refused(grouped, "deserting", Resources(processes=2), folder=str(tmp_path))
    assert failure.details == {"exit_status": 4}
    assert seen(int((tmp_path / "pid").read_text())) is None


async def test_cpu_time_is_that_of_the_whole_family(grouped: Isolation) -> None:
    _, cost = await grouped.call(TOOLS["my.delegating"], {"seconds": 0.3}, Context(),
                                 Resources(processes=2))  # fmt: skip
    assert cost.cpu > 0.3e9
    failure = await refused(grouped, "delegating", Resources(processes=2, cpu=0.2), seconds=600.0)
    assert failure.details["limit"] == "cpu"
    assert 0.2 < failure.details.get("used", 0.31) < 2


_ENGINE = """
import asyncio, sys
from pathlib import Path
from drawloom.policies import Resources
from drawloom.project.own_tools import own_tools
from drawloom.runtime.isolation import Isolation
from drawloom.sdk import Context

async def main():
    tools = {made.name: made for made in own_tools(Path(sys.argv[1]), ["lab.py"])[0]}
    args = {"folder": sys.argv[2]}
    made = Isolation(cgroup=sys.argv[3])
    await made.call(tools["my.forking"], args, Context(), Resources(processes=2))

asyncio.run(main())
"""


async def test_what_a_killed_engine_has_left_is_swept_by_the_next_and_no_living_ones(
    control_group: Path, tmp_path: Path
) -> None:
    living = Nest(str(control_group))
    arguments = [str(FOLDER), str(tmp_path), str(control_group)]
    engine = subprocess.Popen([sys.executable, "-c", _ENGINE, *arguments])  # noqa: ASYNC220
    try:
        async with asyncio.timeout(60):
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        engine.kill()
        engine.wait()
    left = int((tmp_path / "pid").read_text())
    assert seen(left) is not None  # it is in a session of its own
    Nest(str(control_group)).close()
    assert seen(left) is None
    assert engines(control_group) == [living._path]
    living.close()


def test_the_doctor_says_where_they_are_and_what_is_missing(control_group: Path) -> None:
    from drawloom.cli.examining import _control_groups

    nest = Nest(str(control_group))
    nest.close()
    found = _control_groups(str(control_group))
    assert found.grade == ("warning" if nest.missing else "ok")
    assert str(control_group) in found.found and ", ".join(nest.missing) in found.found
    assert _control_groups("/nowhere").grade == "warning"
    assert "no control group of version 2" in _control_groups("/nowhere").found


async def test_a_call_beyond_its_memory_is_ended_by_the_kernel_and_told(
    limiting_control_group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LOOK", 1_000.0)
    made = Isolation(cgroup=str(limiting_control_group))
    failure = await refused(made, "sharing", Resources(memory=100 * MB), size=200 * MB)
    await made.aclose()
    assert failure.kind is FailureKind.INVALID
    assert failure.details == {"limit": "memory", "allowed": 100 * MB}


async def test_a_bomb_of_processes_is_stopped_by_the_kernel_and_told(
    limiting_control_group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LOOK", 1_000.0)
    made = Isolation(cgroup=str(limiting_control_group))
    failure = await refused(made, "multiplying", Resources(), many=500)
    await made.aclose()
    assert failure.details == {"limit": "processes", "allowed": 1}


async def test_peak_memory_is_that_of_the_whole_family(
    limiting_control_group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LOOK", 1_000.0)
    made = Isolation(cgroup=str(limiting_control_group))
    limits = Resources(processes=2)
    _, cost = await made.call(TOOLS["my.borrowing"], {"size": 120 * MB}, Context(), limits)
    await made.aclose()
    assert cost.peak is not None and cost.peak > 120 * MB
