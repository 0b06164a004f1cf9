"""The journal: every event of every run, in order, written by one thread in groups.

The event loop collects rows and hands them over; the writer takes all that waits
as one transaction, so that a hundred runs share one sync.
Each kind of row is one statement per transaction: every statement costs the
writer two hand-overs of the interpreter lock, which is what starves it.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from functools import cache
from itertools import chain
from queue import SimpleQueue
from typing import Any, TypeAlias

import apsw

from drawloom.db import queries
from drawloom.drivers.embedded.blobs import Blobs
from drawloom.errors import StateUnusable

_LARGEST_STATEMENT = 256  # rows; bound by SQLite's 32,766 parameters
_SEALED_AT = 0x7F  # a full 128 rows are handed over at once

Row: TypeAlias = tuple[Any, ...]

_SQL = queries("appending")
_COLUMNS = {"plans": 7, "runs": 11, "payloads": 3, "blobs": 3, "events": 14, "states": 6}


@cache
def _statement(table: str, rows: int) -> str:
    row = "(" + ",".join("?" * _COLUMNS[table]) + ")"
    return _SQL[table].replace(":rows", ",".join([row] * rows))


class _Batch:
    """Rows that are committed together."""

    __slots__ = ("blobs", "events", "files", "last", "payloads", "plans", "runs", "states")

    def __init__(self) -> None:
        self.events: list[Row] = []
        self.plans: list[Row] = []
        self.runs: list[Row] = []
        self.payloads: list[Row] = []
        self.blobs: list[Row] = []
        self.files: list[tuple[bytes, bytes]] = []
        self.states: list[Row] = []
        self.last = 0

    def add(self, other: _Batch) -> None:
        """Take the rows of a later batch, too."""
        for table in _COLUMNS:
            getattr(self, table).extend(getattr(other, table))
        self.files.extend(other.files)
        self.last = other.last

    def statements(self) -> list[tuple[str, Row]]:
        parts = []
        for table in _COLUMNS:
            rows: list[Row] = getattr(self, table)
            for start in range(0, len(rows), _LARGEST_STATEMENT):
                part = rows[start : start + _LARGEST_STATEMENT]
                values = tuple(chain.from_iterable(part))
                parts.append((_statement(table, len(part)), values))
        return parts


class Journal:
    """Appends rows and says when they are on disk. Used from one event loop.

    *on_durable* is called on the loop whenever more rows are on disk, and
    *on_broken* once, when they can no longer be written.
    """

    def __init__(
        self,
        db: apsw.Connection,
        last_lsn: int,
        blobs: Blobs,
        on_durable: Callable[[int], None],
        on_broken: Callable[[StateUnusable], None],
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._loop = asyncio.get_running_loop()
        self._on_durable = on_durable
        self._on_broken = on_broken
        self._batch = _Batch()
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._told = asyncio.Event()  # that more is durable
        self._sealed = last_lsn
        self.appended = last_lsn
        self.durable = last_lsn
        self.syncs = 0
        self._thread = threading.Thread(target=self._write_all, name="drawloom-journal")
        self._thread.start()

    def event(self, row: Row) -> int:
        """Append an event (all of its columns but the LSN); its LSN is given back."""
        self.appended = lsn = self.appended + 1
        self._batch.events.append((lsn, *row))
        if not lsn & _SEALED_AT:  # let the writer begin while the loop is still busy
            self.flush()
        return lsn

    def run(self, row: Row) -> None:
        """Append the row of a new run."""
        self._batch.runs.append(row)

    def plan(self, row: Row) -> None:
        """Append a plan, before the first run of it."""
        self._batch.plans.append(row)

    def payload(self, row: Row) -> None:
        """Append a value that is too large to be repeated."""
        self._batch.payloads.append(row)

    def blob(self, row: Row, content: bytes | None) -> None:
        """Append that a run uses a blob; its *content* is written first, where there is any."""
        self._batch.blobs.append(row)
        if content is not None:
            self._batch.files.append((row[1], content))

    def state(self, row: Row) -> int:
        """Append a change of a run's status; it is durable with the LSN given back."""
        self._batch.states.append(row)
        # A batch without events still has to be waited for.
        self.appended = lsn = self.appended + 1
        return lsn

    def flush(self) -> None:
        """Hand over what has come in. The writer takes all that waits as one group."""
        if self.appended > self._sealed:
            batch, self._batch = self._batch, _Batch()
            batch.last = self._sealed = self.appended
            self._batches.put(batch)

    async def drained(self) -> None:
        """Wait until all that was appended is on disk."""
        while self.appended > self.durable:
            self.flush()
            self._told.clear()
            await self._told.wait()

    async def aclose(self) -> None:
        """Write what is left and end the thread. The connection stays open."""
        await self.drained()
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)

    # -- on the loop, told by the writer -----------------------------------------

    def _committed(self, lsn: int) -> None:
        self.durable = lsn
        self.syncs += 1
        self._told.set()
        self._on_durable(lsn)

    def _broke(self, exc: StateUnusable) -> None:
        self.durable = self.appended  # nothing more will be: let nobody wait
        self._told.set()
        self._on_broken(exc)

    # -- on the writer's thread --------------------------------------------------

    def _write_all(self) -> None:
        going_on = True
        while going_on and (batch := self._batches.get()) is not None:
            while not self._batches.empty():
                if (more := self._batches.get()) is None:
                    going_on = False
                    break
                batch.add(more)
            try:
                self._write(batch)
            except Exception as exc:  # noqa: BLE001  # whatever it is, people must hear it
                self._tell(self._broke, _unusable(exc))
                return
            self._tell(self._committed, batch.last)

    def _write(self, batch: _Batch) -> None:
        if batch.files:
            self._blobs.write(batch.files)
        statements = batch.statements()
        if len(statements) == 1:
            self._db.execute(*statements[0])
            return
        self._db.execute("begin immediate")
        try:
            for statement, values in statements:
                self._db.execute(statement, values)
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise

    def _tell(self, what: Callable[[Any], None], value: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, value)
        except RuntimeError:
            pass  # the loop is closed: the process is on its way out


def _unusable(exc: Exception) -> StateUnusable:
    if isinstance(exc, apsw.FullError) or getattr(exc, "errno", None) == errno.ENOSPC:
        return StateUnusable(
            "the disk of the state directory is full; nothing that was acknowledged is lost. "
            "Free some space and start again: unfinished runs go on by themselves"
        )
    return StateUnusable(
        f"the journal cannot be written ({type(exc).__name__}: {exc}); nothing that was "
        "acknowledged is lost. See to the disk, its limits and its permissions, and start again"
    )
