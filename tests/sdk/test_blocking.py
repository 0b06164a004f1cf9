"""A context is entered and left in a thread, whatever ends it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from drawloom.sdk.blocking import in_thread


class Door:
    """Notes what goes through it, and in which threads."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.threads: set[int] = set()
        self.entering = threading.Event()
        self.go = threading.Event()
        self.go.set()

    @contextmanager
    def open(self) -> Iterator[str]:
        self.threads.add(threading.get_ident())
        self.entering.set()
        self.go.wait()
        try:
            yield "inside"
        except BaseException as exc:
            self.seen.append(type(exc).__name__)
            raise
        else:
            self.seen.append("left")
        finally:
            self.threads.add(threading.get_ident())


async def test_it_is_entered_and_left_off_the_loop() -> None:
    door = Door()
    async with in_thread(door.open()) as inner:
        assert inner == "inside"
    assert door.seen == ["left"]
    assert threading.get_ident() not in door.threads


@pytest.mark.parametrize("raised", [KeyError, StopIteration, asyncio.CancelledError])
async def test_what_ends_the_block_goes_through_it(raised: type[BaseException]) -> None:
    door = Door()
    caught: BaseException | None = None
    try:
        async with in_thread(door.open()):
            raise raised
    except BaseException as exc:  # noqa: BLE001  # a cancellation that is raised by hand is one
        caught = exc.__cause__ if isinstance(exc, RuntimeError) else exc
    assert isinstance(caught, raised)
    assert door.seen == [raised.__name__]


async def test_what_is_cancelled_while_it_is_entered_is_left_again() -> None:
    door = Door()
    door.go.clear()

    async def work() -> None:
        async with in_thread(door.open()):
            raise AssertionError("it was cancelled before")

    task = asyncio.create_task(work())
    await asyncio.to_thread(door.entering.wait)
    task.cancel()
    await asyncio.sleep(0)
    door.go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert door.seen == ["CancelledError"]
