"""The open client: one writer, several readers, each call in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import apsw

from drawloom.connectors.databases.sqlite.handle import Handle
from drawloom.errors import ConnectionUnusable, Failure, FailureKind, ToolError

if TYPE_CHECKING:
    from drawloom.connectors.databases.sqlite.connection import SqliteConnection

T = TypeVar("T")


class Database:
    """A SQLite file in use. SQLite has one writer at a time, so one connection writes.

    `read` and `write` run *work* off the event loop. A cancelled call is
    interrupted and its connection is free again before `CancelledError` goes on.
    """

    def __init__(self, settings: SqliteConnection, path: Path) -> None:
        self.settings = settings
        self._path = path
        self._writing = asyncio.Lock()
        self._reading = asyncio.Semaphore(settings.readers)
        self._idle: list[Handle] = []
        self._writer: Handle | None = None
        try:
            if settings.read_only:
                self._idle.append(self._reader())
            else:
                self._writer = Handle(path, settings, writer=True)
        except apsw.Error as exc:
            raise ConnectionUnusable(f"cannot open the SQLite file {path}: {exc}") from None
        self._threads = ThreadPoolExecutor(settings.readers + 1, "sqlite")

    async def read(self, work: Callable[[Handle], T]) -> T:
        """Run *work* on a connection that cannot write."""
        async with self._reading:
            handle = self._idle.pop() if self._idle else await asyncio.to_thread(self._reader)
            try:
                return await self._run(handle, work)
            finally:
                self._idle.append(handle)

    async def write(self, work: Callable[[Handle], T]) -> T:
        """Run *work* in one transaction: all of it is kept, or none."""
        if self._writer is None:
            raise ToolError(Failure(FailureKind.DENIED, "the connection is read_only"))
        async with self._writing:
            return await self._run(self._writer, lambda handle: _in_transaction(handle, work))

    def close(self) -> None:
        """Wait for what runs, then close every connection."""
        self._threads.shutdown()
        for handle in self._idle:
            handle.close()
        if self._writer is not None:
            # Last, so that SQLite folds the write-ahead log into the file.
            self._writer.close()

    def _reader(self) -> Handle:
        return Handle(self._path, self.settings, writer=False)

    async def _run(self, handle: Handle, work: Callable[[Handle], T]) -> T:
        handle.start()
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._threads, self._work, handle, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            handle.stop()
            # The connection belongs to the thread until it has let go of it.
            await _end_of(running)
            raise

    def _work(self, handle: Handle, work: Callable[[Handle], T]) -> T:
        try:
            return work(handle)
        except apsw.InterruptError:
            message = f"stopped after {self.settings.timeout:g} s, the connection's timeout"
            raise ToolError(Failure(FailureKind.TIMEOUT, message, harmless=True)) from None


async def _end_of(running: asyncio.Future[T]) -> None:
    """Wait until *running* is over, however often the waiting is cancelled."""
    while not running.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([running])
    if not running.cancelled():
        running.exception()  # asked for, so that nobody reports it as overlooked


def _in_transaction(handle: Handle, work: Callable[[Handle], T]) -> T:
    with handle.transaction():
        return work(handle)
