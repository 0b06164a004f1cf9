"""Answers that are used again: in memory, and in a file of their own beside the journal.

A hundred calls that want the same answer at once make one call (single flight).
The file is written by one thread; what it lacks after a crash is fetched again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import apsw
import msgspec

from drawloom.dataflow.values import canonical_json
from drawloom.policies.cache import Age, Cache, CacheRule, Entry, cache_key
from drawloom.runtime.clients import StoredConnection
from drawloom.sdk import Tool

FILE: Final = "cache.db"
MOST_BYTES: Final = 64 << 20
_TABLE: Final = """
create table if not exists answers (
    key text primary key, tool text not null, answer blob not null,
    fresh_until real not null, stale_until real not null, tags text not null
) without rowid, strict
"""

T = TypeVar("T")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Answers(Generic[T]):
    """The kept answers of one engine. *T* is what waits for an answer that is on its way."""

    def __init__(
        self,
        connections: Mapping[str, StoredConnection],
        state: Path | None = None,
        max_bytes: int = MOST_BYTES,
        now: Callable[[], float] | None = None,  # seconds since 1970
    ) -> None:
        self._connections = connections
        self._state = state
        self._now = now or time.time
        self._cache = Cache(max_bytes)
        self._versions: dict[Tool, str] = {}
        self._identities: dict[str | None, str] = {None: ""}
        self._flights: dict[str, list[T]] = {}
        self._file: AnswersFile | None = None

    def open(self) -> None:
        """Take up the answers that the state directory keeps; at the first use, not before."""
        if self._state is None or self._file is not None:
            return
        self._file = opened(self._state)
        for entry in self._file.read(self._now()):
            self._cache.put(entry)

    def key(self, tool: Tool, connection: str | None, args: Mapping[str, Any]) -> str:
        """Names the answer of a call; no secret is in it, not even hashed."""
        if self._file is None:
            self.open()
        version = self._versions.get(tool)
        if version is None:
            version = self._versions[tool] = _digest([tool.input_schema, tool.output_schema])
        identity = self._identities.get(connection)
        if identity is None:
            stored = self._connections.get(connection or "")
            identity = self._identities[connection] = _identity(connection, stored)
        return cache_key(tool.name, version, identity, canonical_json(args))

    def changed(self, stored: StoredConnection) -> None:
        """A connection has other settings now: what it answered before is no answer of it."""
        self._identities[stored.name] = _identity(stored.name, stored)

    def get(self, key: str) -> tuple[Any, Age] | None:
        """The answer, decoded anew, and whether it is still fresh."""
        found = self._cache.get(key, self._now())
        return None if found is None else (_decode(found[0].answer), found[1])

    def put(self, key: str, tool: str, rule: CacheRule, output: Any) -> None:
        """Keep an answer for as long as *rule* says."""
        fresh = self._now() + rule.ttl
        entry = Entry(key, tool, _encode(output), fresh, fresh + rule.stale, rule.tags)
        gone = self._cache.put(entry)
        if self._file is not None:
            self._file.write(None if key in gone else entry, gone)

    def clear(
        self, *, key: str | None = None, tool: str | None = None, tag: str | None = None
    ) -> int:
        """Forget the answers that meet all that is given; how many there were."""
        self.open()
        gone = self._cache.drop(key=key, tool=tool, tag=tag)
        if self._file is not None:
            self._file.write(None, gone)
        return len(gone)

    # -- single flight -----------------------------------------------------------

    def lead(self, key: str, waiter: T | None) -> bool:
        """Whether to fetch the answer; else *waiter* is given back when it has landed."""
        flight = self._flights.get(key)
        if flight is None:
            self._flights[key] = []
            return True
        if waiter is not None:
            flight.append(waiter)
        return False

    def landed(self, key: str) -> list[T]:
        """The answer is there, or will not come: who waited for it."""
        return self._flights.pop(key, [])

    def close(self) -> None:
        """Write what is left, and close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def opened(state: Path) -> AnswersFile:
    """The file of a state directory; a damaged one is begun anew, for it only saves time."""
    try:
        return AnswersFile(state / FILE)
    except apsw.Error:
        for ending in ("", "-wal", "-shm"):
            (state / f"{FILE}{ending}").unlink(missing_ok=True)
        return AnswersFile(state / FILE)


class AnswersFile:
    """The answers on disk. Losing the last of them in a crash loses nothing but time."""

    def __init__(self, path: Path) -> None:
        self._db = apsw.Connection(str(path))
        self._db.set_busy_timeout(5_000)
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("synchronous", "normal")
        self._db.execute(_TABLE)
        self._thread = ThreadPoolExecutor(1, "drawloom-cache")

    def read(self, now: float) -> list[Entry]:
        self._db.execute("delete from answers where stale_until <= ?", (now,))
        rows: Any = self._db.execute("select * from answers order by fresh_until").fetchall()
        return [
            Entry(key, tool, answer, fresh, stale, tuple(json.loads(tags)))
            for key, tool, answer, fresh, stale, tags in rows
        ]

    def write(self, entry: Entry | None, gone: tuple[str, ...]) -> None:
        self._thread.submit(self._write, entry, gone)

    def _write(self, entry: Entry | None, gone: tuple[str, ...]) -> None:
        with self._db:
            if entry is not None:
                row = (entry.key, entry.tool, entry.answer, entry.fresh_until)
                more = (entry.stale_until, json.dumps(entry.tags))
                sql = "insert or replace into answers values (?, ?, ?, ?, ?, ?)"
                self._db.execute(sql, (*row, *more))
            self._db.executemany("delete from answers where key = ?", [(key,) for key in gone])

    def close(self) -> None:
        self._thread.shutdown()
        self._db.close()


def _identity(name: str | None, stored: StoredConnection | None) -> str:
    return _digest([name] if stored is None else [stored.kind, dict(stored.settings)])


def _digest(value: Any) -> str:
    return hashlib.blake2b(canonical_json(value), digest_size=16).hexdigest()
