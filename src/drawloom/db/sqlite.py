"""SQLite through apsw: its own, current SQLite, and no hidden transactions.

The stdlib's SQLite may have the WAL-reset fault (two connections that write or
checkpoint at the same instant; fixed in 3.51.3, sqlite.org/wal.html), so apsw
is used throughout, with one writing connection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import apsw

from drawloom.errors import StateUnusable

Durability: TypeAlias = Literal["full", "relaxed"]

_MIGRATIONS = Path(__file__).parent / "migrations"
_SYNCHRONOUS = {"full": "full", "relaxed": "normal"}
_STATEMENTS = 600  # the journal has one statement per batch size


def _migrations() -> list[tuple[int, Path]]:
    return sorted((int(path.name[:4]), path) for path in _MIGRATIONS.glob("*.sql"))


SCHEMA_VERSION = _migrations()[-1][0]


def connect_writer(path: Path, durability: Durability = "full") -> apsw.Connection:
    """The one writing connection of a store, migrated to this version.

    `full` syncs each commit; `relaxed` (synchronous=NORMAL) may lose the last
    commits at a power failure, though not at a crash of the process. Raises
    `StateUnusable` for a store of a newer version, or one that is damaged.
    """
    db = _open(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    try:
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", _SYNCHRONOUS[durability])
        db.pragma("foreign_keys", "on")
        db.pragma("journal_size_limit", 64 << 20)
        _migrate(db, path)
    except apsw.Error as exc:
        db.close()
        raise StateUnusable(f"{path}: {exc}; `drawloom doctor` says more") from None
    return db


def connect_reader(path: Path) -> apsw.Connection:
    """A read-only connection beside the writer. Raises `StateUnusable` if there is no store."""
    if not path.exists():
        raise StateUnusable(f"there is no store at {path}; run a chain first")
    db = _open(path, apsw.SQLITE_OPEN_READONLY)
    version = _version(db)
    if version != SCHEMA_VERSION:
        db.close()
        raise StateUnusable(_other_version(path, version))
    return db


def _open(path: Path, flags: int) -> apsw.Connection:
    try:
        db = apsw.Connection(str(path), flags=flags, statementcachesize=_STATEMENTS)
        db.set_busy_timeout(5_000)
    except apsw.Error as exc:
        raise StateUnusable(f"cannot open {path}: {exc}") from None
    return db


def _version(db: apsw.Connection) -> int:
    return int(db.pragma("user_version") or 0)


def _migrate(db: apsw.Connection, path: Path) -> None:
    version = _version(db)
    if version > SCHEMA_VERSION:
        raise StateUnusable(_other_version(path, version))
    for number, file in _migrations():
        if number > version:
            with db:  # one transaction: a crash leaves the old version whole
                db.execute(file.read_text(encoding="utf-8"))
                db.pragma("user_version", number)


def _other_version(path: Path, version: int) -> str:
    older = "an older" if version < SCHEMA_VERSION else "a newer"
    advice = (
        "start an engine on it once, which migrates it"
        if version < SCHEMA_VERSION
        else "upgrade Drawloom, or use another state directory"
    )
    return (
        f"{path} was written by {older} Drawloom "
        f"(store version {version}, this is {SCHEMA_VERSION}); {advice}"
    )
