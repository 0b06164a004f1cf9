"""The pool of connectors, with a server whose faults can be chosen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import pooling
from drawloom.sdk.pooling import Pool, PoolState


class Line:
    """A connection: whether it stands, and how it came to its end."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.broken = self.silent = False
        self.end = ""


class Server:
    """What is connected to; `down` is what is said to who connects."""

    place = "here:1"

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.down: Exception | None = None
        self.hangs = False

    async def connect(self) -> Line:
        if self.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if self.down is not None:
            raise self.down
        self.lines.append(Line(len(self.lines)))
        return self.lines[-1]

    def stands(self, line: Line, lay: float) -> bool:
        return not line.broken

    async def answers(self, line: Line) -> bool:
        await asyncio.sleep(0)
        return not line.silent

    async def close(self, line: Line) -> None:
        await asyncio.sleep(0)
        line.end = "closed"

    def drop(self, line: Line) -> None:
        line.end = "dropped"

    def failure(self, exc: Exception) -> Failure:
        kind = FailureKind.DENIED if isinstance(exc, PermissionError) else FailureKind.DEFECT
        return Failure(kind, str(exc))

    @property
    def open(self) -> list[int]:
        return [line.number for line in self.lines if not line.end]


@dataclass
class Limits:
    min_connections: int = 0
    max_connections: int = 2
    lifetime: float = 3_600.0
    idle_timeout: float = 600.0
    acquire_timeout: float = 60.0
    connect_timeout: float = 60.0


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def made(server: Server) -> AsyncIterator[Callable[..., Pool[Line]]]:
    pools: list[Pool[Line]] = []

    def make(**limits: Any) -> Pool[Line]:
        pools.append(Pool(server, Limits(**limits)))
        return pools[-1]

    yield make
    for pool in pools:
        await pool.close(0.0)
    assert server.open == []


async def some(count: int = 3) -> None:
    """Let the others come to where they wait."""
    for _ in range(count):
        await asyncio.sleep(0)


async def failing(pool: Pool[Line]) -> Failure:
    with pytest.raises(ToolError) as raised:
        await pool.acquire()
    assert raised.value.failure.harmless
    return raised.value.failure


async def test_the_freshest_is_used_again(made, server):
    pool = made()
    first, second = await pool.acquire(), await pool.acquire()
    pool.release(first, keep=True)
    pool.release(second, keep=True)
    assert (await pool.acquire()).connection is second.connection
    assert pool.state == PoolState(2, 1, 0)


async def test_who_waits_gets_a_turn_in_order_and_nobody_overtakes(made):
    pool = made(max_connections=1)
    held = await pool.acquire()
    served: list[int] = []

    async def use(number: int) -> None:
        one = await pool.acquire()
        served.append(number)
        await asyncio.sleep(0)
        pool.release(one, keep=True)

    waiting = [asyncio.create_task(use(number)) for number in range(4)]
    await some()
    assert pool.state == PoolState(1, 0, 4)
    pool.release(held, keep=True)
    await asyncio.gather(use(4), *waiting)
    assert served == [0, 1, 2, 3, 4]
    assert pool.state == PoolState(1, 1, 0)


@pytest.mark.parametrize("already", [False, True])
async def test_a_place_is_not_lost_with_who_was_cancelled(made, already):
    pool = made(max_connections=1)
    held = await pool.acquire()
    first, second = (asyncio.create_task(pool.acquire()) for _ in range(2))
    await some()
    if already:  # the place has been handed over, and not been taken yet
        pool.release(held, keep=True)
    first.cancel()
    await some(1)
    if not already:
        pool.release(held, keep=True)
    assert (await second).connection is held.connection
    assert first.cancelled()


async def test_the_wait_has_a_deadline(made):
    pool = made(max_connections=1, acquire_timeout=0.01)
    held = await pool.acquire()
    failures = await asyncio.gather(*(failing(pool) for _ in range(3)))
    assert {failure.kind for failure in failures} == {FailureKind.THROTTLED}
    assert "here:1" in failures[0].message
    assert "1 at most" in failures[0].message
    pool.release(held, keep=True)
    pool.release(await pool.acquire(), keep=True)


@pytest.mark.parametrize(
    ("down", "kind", "says"),
    [
        (PermissionError("no"), FailureKind.DENIED, "here:1: no"),
        (OSError("gone"), FailureKind.TRANSIENT, "cannot reach here:1: gone"),
        (RuntimeError("what"), FailureKind.DEFECT, "here:1: what"),
    ],
)
async def test_a_server_that_cannot_be_reached(made, server, down, kind, says):
    pool, server.down = made(max_connections=1), down
    for _ in range(3):  # no place is lost with a failure
        failure = await failing(pool)
        assert (failure.kind, failure.message) == (kind, says)
    server.down = None
    pool.release(await pool.acquire(), keep=True)


async def test_a_server_that_never_answers(made, server):
    pool, server.hangs = made(connect_timeout=0.01), True
    failure = await failing(pool)
    assert (failure.kind, failure.message) == (
        FailureKind.TRANSIENT,
        "here:1: not reached in 0.01 s",
    )


async def test_what_is_broken_or_old_or_silent_is_replaced(made, server, monkeypatch):
    pool = made()

    async def next_one() -> int:
        one = await pool.acquire()
        pool.release(one, keep=True)
        return one.connection.number

    assert [await next_one(), await next_one()] == [0, 0]
    server.lines[0].broken = True
    assert (await next_one(), server.lines[0].end) == (1, "dropped")
    monkeypatch.setattr(pooling, "QUIET", 0.0)
    assert await next_one() == 1, "it was asked, and answered"
    server.lines[1].silent = True
    assert (await next_one(), server.lines[1].end) == (2, "dropped")
    pool._limits.lifetime = 0.0
    assert await next_one() == 3
    await some()
    assert [line.end for line in server.lines[2:]] == ["closed", "closed"]


async def test_one_in_an_unknown_state_is_not_kept(made, server):
    pool = made()
    pool.release(await pool.acquire(), keep=False)
    assert (server.lines[0].end, pool.state.size) == ("dropped", 0)


async def test_the_idle_ones_are_closed_by_themselves(made, server):
    pool = made(max_connections=3, min_connections=1, idle_timeout=0.001)
    told: list[PoolState] = []
    left = asyncio.Event()

    def tell(state: PoolState) -> None:
        told.append(state)
        if state == PoolState(1, 1, 0):
            left.set()

    held = [await pool.acquire() for _ in range(3)]
    assert server.open == [0, 1, 2]
    pool.watch(tell)
    for one in held:
        pool.release(one, keep=True)
    await left.wait()
    assert len(server.open) == 1, "min_connections are spared"


async def test_the_first_use_opens_as_many_as_are_kept(made, server):
    pool = made(max_connections=5, min_connections=3)
    assert pool.state.size == 0
    await pool.acquire()
    assert pool.state == PoolState(3, 2, 0)


async def test_closing_waits_for_what_still_runs_and_then_no_more(made, server):
    pool = made()
    one, other = await pool.acquire(), await pool.acquire()
    closing = asyncio.create_task(pool.close(60.0))
    await some()
    assert not closing.done()
    for held in (one, other):
        pool.release(held, keep=True)
    await closing
    assert [line.end for line in server.lines] == ["closed", "closed"]
    impatient = made()
    await impatient.acquire()
    await impatient.close(0.0)
    assert server.lines[2].end == "dropped"


async def test_its_state_is_told_when_it_changes(made):
    pool = made(max_connections=1)
    told: asyncio.Queue[PoolState] = asyncio.Queue()
    pool.watch(told.put_nowait)
    assert await told.get() == PoolState(0, 0, 0), "how it is at first"
    held = await pool.acquire()
    assert await told.get() == PoolState(1, 0, 0)
    waiting = asyncio.create_task(pool.acquire())
    assert await told.get() == PoolState(1, 0, 1)
    pool.release(held, keep=True)
    await waiting
    assert await told.get() == PoolState(1, 0, 0)
    assert told.empty()
