"""One SQLite connection under guard: what SQL may do, and for how long."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from drawloom.connectors.databases.sqlite.binding import add_functions

if TYPE_CHECKING:
    from drawloom.connectors.databases.sqlite.connection import SqliteConnection

_OPS_BETWEEN_CHECKS = 2_000
_ROWS_BETWEEN_CHECKS = 500
_LONGEST_SQL = 1_000_000
_LARGEST_VALUE = 64 * 1024 * 1024
_PAUSE_WHILE_BUSY = 0.005

# Pragmas that only tell; the first set may name a table, the second takes no value.
_ABOUT = frozenset(
    {
        *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"),
        *("foreign_key_list", "foreign_key_check", "integrity_check", "quick_check"),
    }
)
_TELLING = frozenset(
    {
        *("application_id", "collation_list", "compile_options", "data_version", "encoding"),
        *("foreign_keys", "freelist_count", "function_list", "journal_mode", "page_count"),
        *("page_size", "user_version"),
    }
)
# Those that a writer may set: they stay inside the file and its transaction.
_SETTABLE = frozenset({"application_id", "user_version", "defer_foreign_keys", "optimize"})
# What reaches beyond the file, ends the transaction, or would outlive it unseen:
# a temporary table hides the real one from every later call.
_REFUSED = frozenset(
    {
        *(apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH, apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT),
        *(apsw.SQLITE_CREATE_TEMP_TABLE, apsw.SQLITE_CREATE_TEMP_VIEW),
        *(apsw.SQLITE_CREATE_TEMP_TRIGGER, apsw.SQLITE_CREATE_TEMP_INDEX),
    }
)


class Handle:
    """An open connection for one thread at a time.

    The authoriser refuses what would reach beyond the file or end the
    surrounding transaction (ATTACH, VACUUM INTO, COMMIT, most pragmas,
    loading code). `stop` may be called from any thread.
    """

    def __init__(self, path: Path, settings: SqliteConnection, *, writer: bool) -> None:
        self._settings = settings
        self._writer = writer
        self._trusted = True
        self._stopped = False
        self._deadline = time.monotonic() + settings.timeout
        self._busy_since = 0.0
        self.apsw = apsw.Connection(str(path), flags=_flags(settings, writer))
        self.apsw.set_busy_handler(self._wait_while_busy)
        self.apsw.set_progress_handler(self._must_stop, _OPS_BETWEEN_CHECKS)
        self._harden()
        self._trusted = False

    def _harden(self) -> None:
        connection = self.apsw
        for option, value in (
            (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
            (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
            (apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
            # A misspelt "column" must be an error, not a text of that name.
            (apsw.SQLITE_DBCONFIG_DQS_DML, 0),
            (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
        ):
            connection.config(option, value)
        add_functions(connection)
        connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
        connection.limit(apsw.SQLITE_LIMIT_SQL_LENGTH, _LONGEST_SQL)
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        if self._writer:
            self.value("PRAGMA journal_mode = WAL")
            self.value("PRAGMA foreign_keys = ON")
        self.value("SELECT count(*) FROM sqlite_schema")  # says now if this is no database
        connection.authorizer = self._authorise

    def fetch(self, sql: str, *args: str | None) -> list[Any]:
        """All rows of our own *sql* as tuples."""
        return self.apsw.execute(sql, args).fetchall()

    def value(self, sql: str) -> Any:
        """The first value of our own *sql*, never of a chain's."""
        with self._trust():
            rows = self.apsw.execute(sql, can_cache=False).fetchall()
        return rows[0][0] if rows else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Taken for writing at once, so that it cannot fail half-way as busy."""
        self.value("BEGIN IMMEDIATE")
        try:
            yield
            self.value("COMMIT")
        except BaseException:
            self._deadline = float("inf")  # a rollback must not be stopped
            self._stopped = False
            if self.apsw.in_transaction:
                self.value("ROLLBACK")
            raise

    def start(self) -> None:
        """Begin a call: its time runs from here."""
        self._stopped = False
        self._deadline = time.monotonic() + self._settings.timeout

    def stop(self) -> None:
        """End what runs, as soon as may be; from any thread."""
        self._stopped = True

    def checked(self, rows: Iterable[Any]) -> Iterator[Any]:
        """*rows* as they are, ended by the deadline: short statements never meet the handler."""
        for number, row in enumerate(rows):
            if number % _ROWS_BETWEEN_CHECKS == 0 and self._must_stop():
                raise apsw.InterruptError("interrupted")
            yield row

    def close(self) -> None:
        self.apsw.close()

    @contextmanager
    def _trust(self) -> Iterator[None]:
        self._trusted = True
        try:
            yield
        finally:
            self._trusted = False

    def _must_stop(self) -> bool:
        return self._stopped or time.monotonic() > self._deadline

    def _wait_while_busy(self, tries: int) -> bool:
        now = time.monotonic()
        if tries == 0:
            self._busy_since = now
        if self._must_stop() or now - self._busy_since >= self._settings.busy_timeout:
            return False
        time.sleep(_PAUSE_WHILE_BUSY)
        return True

    def _authorise(
        self, action: int, first: str | None, second: str | None, *_: str | None
    ) -> int:
        allowed = self._trusted or self._may(action, (first or "").lower(), second)
        return apsw.SQLITE_OK if allowed else apsw.SQLITE_DENY

    def _may(self, action: int, first: str, second: str | None) -> bool:
        if action in _REFUSED:
            return False
        if action == apsw.SQLITE_FUNCTION:
            return (second or "").lower() not in ("load_extension", "fts3_tokenizer")
        if action == apsw.SQLITE_PRAGMA:
            return self._may_ask(first, second)
        return True

    def _may_ask(self, pragma: str, value: str | None) -> bool:
        if pragma in _ABOUT or (value is None and pragma in _TELLING):
            return True
        return self._writer and pragma in _SETTABLE


def _flags(settings: SqliteConnection, writer: bool) -> int:
    # The path is resolved: a link that turns up now was put there since.
    flags = apsw.SQLITE_OPEN_NOFOLLOW | apsw.SQLITE_OPEN_NOMUTEX
    if not writer:
        return flags | apsw.SQLITE_OPEN_READONLY
    flags |= apsw.SQLITE_OPEN_READWRITE
    return flags | apsw.SQLITE_OPEN_CREATE if settings.create else flags
