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

_SYNCHRONOUS = {"full": "full", "relaxed": "normal"}
_STATEMENTS = 600  # the journal has one statement per batch size


def _migrations(schema: str) -> list[tuple[int, Path]]:
    files = (Path(__file__).parent / schema).glob("*.sql")
    return sorted((int(path.name[:4]), path) for path in files)


def _newest(schema: str) -> int:
    return _migrations(schema)[-1][0]


SCHEMA_VERSION = _newest("migrations")


def connect_writer(
    path: Path, durability: Durability = "full", schema: str = "migrations"
) -> apsw.Connection:
    """A writing connection of a store, migrated to this version.

    *schema* names the folder of its migrations, beside this module.

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
        _migrate(db, path, schema)
    except apsw.Error as exc:
        db.close()
        raise StateUnusable(f"{path}: {exc}; `drawloom doctor` says more") from None
    return db


def connect_reader(path: Path, schema: str = "migrations") -> apsw.Connection:
    """A read-only connection beside the writer. Raises `StateUnusable` if there is no store."""
    if not path.exists():
        raise StateUnusable(f"there is no store at {path}; run a chain first")
    db = _open(path, apsw.SQLITE_OPEN_READONLY)
    version = _version(db)
    if version != _newest(schema):
        db.close()
        raise StateUnusable(_other_version(path, version, _newest(schema)))
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


def _migrate(db: apsw.Connection, path: Path, schema: str) -> None:
    version, newest = _version(db), _newest(schema)
    if version > newest:
        raise StateUnusable(_other_version(path, version, newest))
    if version == newest:
        return
    db.execute("begin immediate")  # two processes that open a new store: one waits
    for number, file in _migrations(schema):
        if number > _version(db):
            with db:  # within the transaction: a crash leaves the old version whole
                db.execute(file.read_text(encoding="utf-8"))
                db.pragma("user_version", number)
    db.execute("commit")


def _other_version(path: Path, version: int, newest: int) -> str:
    older = "an older" if version < newest else "a newer"
    advice = (
        "start an engine on it once, which migrates it"
        if version < newest
        else "upgrade Drawloom, or use another state directory"
    )
    return (
        f"{path} was written by {older} Drawloom "
        f"(store version {version}, this is {newest}); {advice}"
    )
