"""Tables of any size, read bit by bit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.sqlite.binding import row_of
from drawloom.connectors.databases.sqlite.connection import connector
from drawloom.connectors.databases.sqlite.loading import declared_columns, quoted
from drawloom.connectors.databases.sqlite.tables import Table
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import Chunk, Context, Row, invalid

if TYPE_CHECKING:
    from drawloom.connectors.databases.sqlite.database import Database
    from drawloom.connectors.databases.sqlite.handle import Handle


@connector.tool(effect="read")
async def stream(
    database: Database, table: Table, context: Context, columns: list[str] | None = None
) -> AsyncIterator[Chunk[Row]]:
    """Read a table of any size as a stream of rows, for a `for_each`.

    Rows come in the order of their rowid, which is the cursor: a run goes on
    behind the last row that it had, and rows that are added meanwhile come too. A
    view, or a table WITHOUT ROWID, has no such order: `sqlite.query` pages those.
    """
    after = context.after
    while True:
        rows, after = await database.read(
            lambda handle, at=after: _next(handle, table, columns, at, context.batch)  # type: ignore[misc]
        )
        if not rows:
            return
        yield Chunk(rows, after)


def _order(table: str, columns: Iterable[str]) -> str:
    """The name under which the rowid can be read: a column of that name would hide it."""
    taken = {name.lower() for name in columns}
    free = [name for name in ("_rowid_", "rowid", "oid") if name not in taken]
    if not free:
        raise invalid(f"the columns of {table!r} hide the order of its rows; page it by a key")
    return free[0]


def _next(
    handle: Handle, table: str, columns: list[str] | None, after: Any, most: int
) -> tuple[list[Row], Any]:
    known = declared_columns(handle, table)
    if not known:
        raise ToolError(Failure(FailureKind.MISSING, f"there is no table {table!r}"))
    order = _order(table, known)
    names = list(known) if columns is None else columns
    if strange := [name for name in names if name not in known]:
        raise invalid(
            f"the table {table!r} has no column {strange[0]!r}; it has {', '.join(known)}"
        )
    listed = ", ".join([order, *map(quoted, names)])
    where = "" if after is None else f" WHERE {order} > ?"
    sql = f"SELECT {listed} FROM main.{quoted(table)}{where} ORDER BY {order} LIMIT ?"
    given = (most,) if after is None else (int(after), most)
    found = list(handle.checked(handle.apsw.execute(sql, given)))
    rows = [row_of(names, cells[1:]) for cells in found]
    # As text: a rowid may be beyond what every JSON number holds.
    return rows, str(found[-1][0]) if found else after
