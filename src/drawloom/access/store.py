"""`access.db`: rows and transactions.

It has no owner: several processes may use it. Each change is one transaction of SQLite
(WAL, synchronous=FULL), so a killed process leaves the old state or the new one. A lock
lets threads take turns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw

from drawloom.access.credentials import Entropy
from drawloom.db import changing, connect_writer, make_private, queries
from drawloom.errors import AccessRefused, FailureKind, StateUnusable

FILE: Final = "access.db"
_SCHEMA: Final = "access_migrations"
_SQL = queries("access")


class Store:
    """The file, the clock (microseconds since 1970) and the source of randomness."""

    def __init__(self, folder: Path, now: Callable[[], int], entropy: Entropy) -> None:
        self.path = folder / FILE
        self.now = now
        self.entropy = entropy
        self._lock = threading.RLock()
        self._db: apsw.Connection | None = None

    def rows(self, query: str, *given: Any) -> list[Any]:
        """The rows that a named query finds. Raises `StateUnusable`."""
        with self._lock, _faults(self.path):
            return self._opened().execute(_SQL[query], given).fetchall()

    def row(self, query: str, *given: Any) -> Any:
        """The first row of a named query, or None."""
        found = self.rows(query, *given)
        return found[0] if found else None

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One change: all of it is kept, or nothing. Other threads and processes wait."""
        with self._lock, _faults(self.path), changing(self._opened()):
            yield

    def close(self) -> None:
        """Close the file, which is opened again when it is needed."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _opened(self) -> apsw.Connection:
        if self._db is None:
            try:
                make_private(self.path)
            except OSError as exc:
                raise StateUnusable(f"cannot use {self.path}: {exc.strerror}") from None
            self._db = connect_writer(self.path, "full", _SCHEMA)
        return self._db


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except apsw.BusyError:
        raise AccessRefused(
            FailureKind.TRANSIENT, "busy", f"{path.name} is in use; try again", 1.0
        ) from None
    except UnicodeEncodeError:  # an id or a cursor from outside
        raise AccessRefused(
            FailureKind.INVALID, "text-unfit", "half a character (a lone surrogate) is no text"
        ) from None
    except apsw.Error as exc:
        raise StateUnusable(f"{path}: {type(exc).__name__}: {exc}") from None
