"""`vault.db`: rows, transactions, and a line in the audit for every change.

It has no owner: secrets are set while an engine runs. Each change is one
transaction of SQLite, so a killed process leaves the old state or the new one.
"""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from drawloom.db import changing, connect_writer, make_private, queries
from drawloom.errors import VaultUnusable

FILE: Final = "vault.db"
_SCHEMA: Final = "vault_migrations"
_SQL = queries("vault")


@dataclass(frozen=True, slots=True)
class Principal:
    """For whom something is done: a *tenant*, whose names are its own, and *who* asks."""

    tenant: str = "default"
    who: str = ""

    @classmethod
    def of_this_process(cls) -> Principal:
        """The user of the operating system."""
        with suppress(OSError, KeyError):
            return cls(who=getpass.getuser())
        return cls(who=f"uid {os.getuid()}")


@dataclass(frozen=True, slots=True)
class Audited:
    """One change: *at* in microseconds since 1970; *version* of what was changed, if it has one."""

    at: int
    who: str
    did: str
    what: str
    version: int | None


class Store:
    """The vault's file. Reading never makes it; the first change does."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._db: apsw.Connection | None = None

    def version(self) -> int:
        """Grows with every change; 0 where there is no vault yet."""
        row = self.row("version")
        return int(row[0]) if row else 0

    def rows(self, query: str, *given: Any) -> list[Any]:
        """The rows that a named query finds; none where there is no vault yet."""
        if self._db is None and not self.path.exists():
            return []
        return self.opened().execute(_SQL[query], given).fetchall()

    def row(self, query: str, *given: Any) -> Any:
        """The first row of a named query, or None."""
        found = self.rows(query, *given)
        return found[0] if found else None

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One change: all of it is kept, or nothing. Others that write wait.

        A change within a change is part of it.
        """
        with changing(self.opened()):
            yield

    def audit(self, principal: Principal, did: str, what: str, version: int | None = None) -> None:
        """Write down a change, within it. Never a value."""
        now = time.time_ns() // 1000
        self.rows("audit", now, principal.who, principal.tenant, did, what, version)

    def audited(self, principal: Principal, limit: int) -> list[Audited]:
        """The last changes, the latest first."""
        return [Audited(*row) for row in self.rows("audited", principal.tenant, limit)]

    def opened(self) -> apsw.Connection:
        """The open file, made at its first use, for its owner alone."""
        if self._db is None:
            _make_private(self.path)
            self._db = connect_writer(self.path, "full", _SCHEMA)
        return self._db

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _make_private(path: Path) -> None:
    try:
        make_private(path)
    except OSError as exc:
        raise VaultUnusable(f"cannot use {path}: {exc.strerror}") from None
