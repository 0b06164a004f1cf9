"""Tools in processes of their own: real processes, real limits, nothing left behind."""

from __future__ import annotations

import asyncio
import itertools
import os
import queue
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.doors import Doors
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.policies import Resources
from drawloom.project.own_tools import own_tools
from drawloom.runtime import Catalogue, Clients, Hands, Measured
from drawloom.runtime.isolation import pool, usage, workers
from drawloom.runtime.isolation.usage import Seen, census
from drawloom.sdk import Connector, Context, Tool, tool

FOLDER = Path(__file__).parent / "isolated_tools"
MB = 1_000_000


@pytest.fixture(scope="module")
def lab() -> dict[str, Tool]:
    return {made.name.partition(".")[2]: made for made in own_tools(FOLDER, ["lab.py"])[0]}


@pytest.fixture
async def hands() -> AsyncIterator[Hands]:
    made = Hands(Clients(Catalogue(), {}, Doors()))
    before = descriptors()
    yield made
    await made.aclose()
    assert descriptors() == before
    assert alive_below(os.getpid()) == []


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def alive_below(pid: int) -> list[int]:
    return [each.pid for each in census() if each.parent == pid and is_worker(each.pid)]


def is_worker(pid: int) -> bool:
    try:
        return b"drawloom.runtime.isolation.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def alive(pid: int) -> bool:
    return any(each.pid == pid for each in census())


async def gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while alive(pid):  # noqa: ASYNC110  # another process tells nobody
            await asyncio.sleep(0.01)


async def call(
    hands: Hands,
    made: Tool,
    resources: Resources | None = None,
    measured: Measured | None = None,
    said: list[Any] | None = None,
    **args: Any,
) -> Any:
    def say(message: str, data: dict[str, Any]) -> None:
        assert said is not None
        said.append((message, data))

    context = Context("run", "step", "step#1", "run/step", 1, say)
    prepared = hands.prepared(made)
    measured = measured or Measured()
    return await hands.call(prepared, None, args, context, measured, resources)


async def failed(
    hands: Hands, made: Tool, resources: Resources | None = None, **args: Any
) -> Failure:
    with pytest.raises(ToolError) as caught:
        await call(hands, made, resources, **args)
    return caught.value.failure


async def test_a_process_is_kept_and_is_not_ours(hands: Hands, lab: dict[str, Tool]) -> None:
    first = await call(hands, lab["number"])
    assert first != os.getpid()
    assert await call(hands, lab["number"]) == first


async def test_it_knows_nothing_of_us_and_speaks_to_the_log(
    hands: Hands, lab: dict[str, Tool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAWLOOM_CANARY", "a secret")
    said: list[Any] = []
    found = await call(hands, lab["surroundings"], said=said)
    assert found["environment"].keys() <= {"LC_CTYPE"}  # Python itself sets this one
    assert found["key"] == "run/step"
    assert found["session"] != os.getsid(0)
    assert said == [("looked round", {"step": "step"})]


async def test_what_it_prints_does_not_reach_the_answer(
    hands: Hands, lab: dict[str, Tool]
) -> None:
    assert await call(hands, lab["printing"]) == ""


async def test_what_it_takes_is_measured(hands: Hands, lab: dict[str, Tool]) -> None:
    small, large = Measured(), Measured()
    await call(hands, lab["number"], measured=small)
    await call(hands, lab["greedy"], measured=large, size=100 * MB)
    assert small.peak_memory is not None and large.peak_memory is not None
    assert large.peak_memory - small.peak_memory > 80 * MB
    assert large.cpu > 0
    assert large.meter is not None and large.meter.bytes_out > 0 and large.meter.bytes_in > 0


@pytest.mark.parametrize(
    ("name", "limits", "args", "limit"),
    [
        ("greedy", Resources(memory=128 * MB), {"size": 300 * MB}, "memory"),
        ("endless", Resources(cpu=0.2), {}, "cpu"),
        ("opening", Resources(files=20), {"many": 100}, "files"),
        ("writing", Resources(disk=MB), {"size": 2 * MB}, "disk"),
    ],
)
async def test_a_call_over_its_limit_dies_alone_with_its_name(
    hands: Hands,
    lab: dict[str, Tool],
    name: str,
    limits: Resources,
    args: dict[str, Any],
    limit: str,
) -> None:
    other = asyncio.create_task(call(hands, lab["number"]))
    failure = await failed(hands, lab[name], limits, **args)
    assert failure.kind is FailureKind.INVALID
    assert failure.details is not None
    used = failure.details.pop("used", None)
    assert failure.details == {"limit": limit, "allowed": getattr(limits, limit)}
    if limit == "cpu":
        assert 0.2 < used < 1 and f"(it had used {used:g})" in failure.message
    assert f"resources: {{{limit}: …}}" in failure.message
    assert await other > 0
    assert await call(hands, lab["number"], limits) > 0


async def test_a_process_more_than_allowed_ends_all_of_them(
    hands: Hands, lab: dict[str, Tool], tmp_path: Path
) -> None:
    failure = await failed(hands, lab["forking"], folder=str(tmp_path))
    assert failure.details == {"limit": "processes", "allowed": 1}
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_what_was_seen_of_one_call_is_not_held_against_the_next(
    hands: Hands, lab: dict[str, Tool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, go_on, results = queue.Queue[int](), queue.Queue[None](), itertools.count()

    def looking(pids: list[int]) -> dict[int, list[Seen]]:
        looks.put(number := next(results))
        go_on.get()
        crowd = [Seen(pid, 1, pid, MB) for pid in pids * (1 if number else 9)]
        return dict.fromkeys(pids, crowd)

    monkeypatch.setattr(pool, "families", looking)
    pipes = [str(tmp_path / name) for name in "ab"]
    for pipe in pipes:
        os.mkfifo(pipe)
    first = asyncio.create_task(call(hands, lab["reading"], path=pipes[0]))
    sink = await asyncio.to_thread(open, pipes[0], "w")  # given once it is read
    assert await asyncio.to_thread(looks.get) == 0  # it sees too many
    sink.close()
    number = await first
    second = asyncio.create_task(call(hands, lab["reading"], path=pipes[1]))
    sink = await asyncio.to_thread(open, pipes[1], "w")
    go_on.put(None)
    assert await asyncio.to_thread(looks.get) == 1  # the first one has been judged
    go_on.put(None)
    sink.close()
    assert await second == number


def test_who_ends_while_they_are_counted_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = os.getpid()
    seen = [*census(), Seen(ended.pid, own, own, MB)]
    monkeypatch.setattr(usage, "census", lambda: seen)
    members = {each.pid for each in usage.families([own])[own]}
    assert own in members and ended.pid not in members


async def test_a_cancelled_call_ends_its_process_and_what_that_started(
    hands: Hands, lab: dict[str, Tool], tmp_path: Path
) -> None:
    going = asyncio.create_task(
        call(hands, lab["sleeping"], Resources(processes=2), folder=str(tmp_path))
    )
    own, started = await pids(tmp_path)
    assert alive(own) and alive(started)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert not alive(own) and not alive(started)


async def test_what_a_process_leaves_behind_is_ended(
    hands: Hands, lab: dict[str, Tool], tmp_path: Path
) -> None:
    failure = await failed(hands, lab["orphaning"], Resources(processes=2), folder=str(tmp_path))
    assert failure.details == {"exit_status": 4}
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_what_a_call_leaves_running_is_not_in_the_next(
    hands: Hands, lab: dict[str, Tool]
) -> None:
    limits = Resources(processes=2)
    number, left = await call(hands, lab["abandoning"], limits)
    assert not alive(left)
    assert (await call(hands, lab["abandoning"], limits))[0] != number


async def test_the_cpu_time_of_a_call_is_that_of_its_family(
    hands: Hands, lab: dict[str, Tool]
) -> None:
    limits = Resources(cpu=0.3, processes=2)
    failure = await failed(hands, lab["delegating"], limits, seconds=600.0)
    assert failure.details is not None
    assert failure.details["limit"] == "cpu"
    # On a machine so busy that nobody came to look, the kernel's own limit, of whole
    # seconds, has ended it: then what it had used was not seen.
    assert 0.3 < failure.details.get("used", 0.31) < 2


_BUSY = """
import os, time
from drawloom.sdk import tool

def busy_for(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass

@tool(isolation="process", effect="pure")
def busy(seconds: float) -> int:
    "Take CPU time; the number of the process."
    busy_for(seconds)
    return os.getpid()

if os.environ.keys() <= {"LC_CTYPE"}:  # in its process
    busy_for(0.4)
"""


async def test_the_cpu_time_of_a_call_is_its_own(hands: Hands, tmp_path: Path) -> None:
    """Neither what its file takes when it is read, nor that of the calls before, is counted."""
    (tmp_path / "busy.py").write_text(_BUSY)
    [busy] = own_tools(tmp_path, ["busy.py"])[0]
    limits = Resources(cpu=0.3)
    numbers = {await call(hands, busy, limits, seconds=0.15) for _ in range(3)}
    assert len(numbers) == 1
    failure = await failed(hands, busy, limits, seconds=600.0)
    assert failure.details is not None
    assert failure.details["limit"] == "cpu"
    assert 0.3 < failure.details.get("used", 0.31) < 2  # as above


async def pids(folder: Path) -> list[int]:
    async with asyncio.timeout(20):
        while not (folder / "pids").exists():  # noqa: ASYNC110  # the same
            await asyncio.sleep(0.01)
    return [int(pid) for pid in (folder / "pids").read_text().split()]


@pytest.mark.parametrize(
    ("by", "kind"),
    [
        (signal.SIGKILL, FailureKind.LOST),
        (signal.SIGTERM, FailureKind.LOST),
        (signal.SIGSEGV, FailureKind.DEFECT),
    ],
)
async def test_a_signal_is_named(
    hands: Hands, lab: dict[str, Tool], by: signal.Signals, kind: FailureKind
) -> None:
    failure = await failed(hands, lab["dying"], by=int(by))
    assert (failure.kind, failure.details) == (kind, {"signal": by.name})


async def test_other_ends_are_named(hands: Hands, lab: dict[str, Tool]) -> None:
    left = await failed(hands, lab["leaving"], status=3)
    assert (left.kind, left.details) == (FailureKind.DEFECT, {"exit_status": 3})
    refused = await failed(hands, lab["refusing"])
    assert (refused.kind, refused.details) == (FailureKind.INVALID, {"colour": "grue"})
    broke = await failed(hands, lab["breaking"])
    assert broke.message == "ZeroDivisionError: by nothing"
    lied = await failed(hands, lab["lying"])
    assert lied.kind is FailureKind.DEFECT and "output schema" in lied.message


async def test_a_process_that_grows_is_replaced(hands: Hands, lab: dict[str, Tool]) -> None:
    limits = Resources(memory=200 * MB)
    numbers = [await call(hands, lab["hoarding"], limits) for _ in range(6)]
    assert len(set(numbers)) > 1


async def test_a_process_that_has_answered_enough_is_replaced(
    hands: Hands, lab: dict[str, Tool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CALLS", 2)
    numbers = [await call(hands, lab["number"]) for _ in range(3)]
    assert numbers[0] == numbers[1] != numbers[2]


async def test_no_more_processes_than_allowed(lab: dict[str, Tool]) -> None:
    made = pool.Isolation(at_once=2)
    calls = [made.call(lab["number"], {}, Context()) for _ in range(8)]
    numbers = {number for number, _ in await asyncio.gather(*calls)}
    assert len(numbers) <= 2
    await made.aclose()


async def test_declared_memory_waits_for_room(lab: dict[str, Tool], tmp_path: Path) -> None:
    made = pool.Isolation(at_once=4, memory=300 * MB)
    limits = Resources(memory=200 * MB, processes=2)
    args = {"folder": str(tmp_path)}
    first = asyncio.create_task(made.call(lab["sleeping"], args, Context(), limits))
    await pids(tmp_path)
    second = asyncio.create_task(made.call(lab["number"], {}, Context(), limits))
    await asyncio.sleep(0)
    assert made._admission.waiting == 1
    first.cancel()
    assert (await second)[0] > 0
    with pytest.raises(ToolError, match="asks for 400000000 bytes"):
        await made.call(lab["number"], {}, Context(), Resources(memory=400 * MB))
    await made.aclose()
    assert made._admission.used == 0


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
    await Isolation().call(tools["my.sleeping"], args, Context(), Resources(processes=2))

asyncio.run(main())
"""


async def test_nothing_is_left_when_the_engine_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ENGINE, str(FOLDER), str(tmp_path)]
    engine = subprocess.Popen(command)  # noqa: ASYNC220  # quick enough for a test
    try:
        own, started = await pids(tmp_path)
        assert alive(own) and alive(started)
    finally:
        engine.kill()
        engine.wait()
    await gone(own)
    await gone(started)


def test_what_cannot_be_isolated_is_refused() -> None:
    from drawloom.sdk import Connection

    def look(client: Any) -> None:
        """Look."""

    connector = Connector("lab", Connection)
    with pytest.raises(TypeError, match="cannot have a client"):
        connector.tool(effect="read", isolation="process")(look)
    with pytest.raises(TypeError, match="inline=True exclude"):
        tool(isolation="process", inline=True)(look)
    with pytest.raises(TypeError, match="'none', 'process' or 'sandbox'"):
        tool(isolation="jail")(look)  # type: ignore[call-overload]


async def test_a_tool_inside_a_function_is_refused(hands: Hands) -> None:
    @tool(isolation="process")
    def hidden() -> None:
        """Nobody finds it."""

    failure = await failed(hands, hidden)
    assert "define it there, not in a function" in failure.message
