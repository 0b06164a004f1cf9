"""A SQLite file looked at without a trace: statements are prepared and never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw
from apsw import ext

from drawloom.errors import ConnectionUnusable, invalid
from drawloom.sdk.planning import Does, Touch

_DOES: dict[str, Does] = {
    "SQLITE_INSERT": "creates",
    "SQLITE_UPDATE": "changes",
    "SQLITE_DELETE": "deletes",
    "SQLITE_READ": "reads",
}
_OWN = "sqlite_"  # SQLite's own tables, which any statement about the schema touches


class Glance:
    """The file, if there is one; `is_new` where it would be made."""

    def __init__(self, path: Path) -> None:
        self.is_new = not path.exists()
        try:
            self._db = apsw.Connection(":memory:") if self.is_new else _opened(path)
            self._db.pragma("schema_version")  # says now if this is no database
        except apsw.Error as exc:
            raise ConnectionUnusable(f"cannot open the SQLite file {path}: {exc}") from None

    def close(self) -> None:
        self._db.close()

    def has_table(self, name: str) -> bool:
        """Whether there is a table or view of this name."""
        return self._db.table_exists(None, name)

    def rows(self, name: str) -> int:
        """How many rows a table has."""
        escaped = name.replace('"', '""')
        counted: Any = self._db.execute(f'SELECT count(*) FROM "{escaped}"').fetchall()
        return int(counted[0][0])

    def touches(self, sql: str) -> list[Touch]:
        """What one statement would touch, by table. Raises `ToolError` where it is none."""
        try:
            found = ext.query_info(self._db, sql, actions=True)
        except apsw.Error as exc:
            new = "; the file is not there yet" if self.is_new else ""
            raise invalid(f"the SQL cannot be prepared: {exc}{new}") from None
        tables: dict[tuple[Does, str], None] = {}
        for action in found.actions or ():
            does, name = _DOES.get(action.action_name), action.table_name
            if does and name and not name.startswith(_OWN):
                tables[does, name] = None
        told = [Touch(does, f"rows of {name}") for does, name in tables]
        return told or [Touch("runs", " ".join(sql.split())[:100])]


def _opened(path: Path) -> apsw.Connection:
    """Read-only. Without a log beside it nobody writes: as immutable it gets none of ours, too."""
    immutable = "" if Path(f"{path}-wal").exists() else "&immutable=1"
    return apsw.Connection(
        f"file:{quote(str(path))}?mode=ro{immutable}",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
    )
