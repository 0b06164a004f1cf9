"""What statements give and take, as the server tells when they are prepared; none is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from drawloom.connectors.databases.postgresql.binding import prepare
from drawloom.connectors.databases.postgresql.client import savepoint
from drawloom.connectors.databases.postgresql.faults import FAULTS
from drawloom.errors import FailureKind
from drawloom.sdk import name_fault

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

# What a statement itself is refused for. All else is no matter of the statement.
_OF_STATEMENT = frozenset({FailureKind.INVALID, FailureKind.MISSING, FailureKind.DENIED})
_BASES = """
    SELECT pg_catalog.format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END, NULL),
        ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
            WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
    FROM unnest($1::oid[]) WITH ORDINALITY AS u (oid, place)
    JOIN pg_catalog.pg_type t ON t.oid = u.oid ORDER BY u.place
"""


class ResultColumn(TypedDict):
    """One column of a result. `base` is its type; `labels` are those of an enum, else empty."""

    name: str
    base: str
    labels: list[str]


class StatementInfo(TypedDict):
    """One statement. `parameters` are types; `failure` is why the server refuses it, or null."""

    sql: str
    columns: list[ResultColumn]
    parameters: list[str]
    failure: str | None


async def describe(client: Client, statements: list[str]) -> list[StatementInfo]:
    """Each statement once, in their order. One that is refused is no error."""
    async with client.reading() as connection:
        return [await _described(connection, sql) for sql in dict.fromkeys(statements)]


async def _described(connection: Any, sql: str) -> StatementInfo:
    try:
        async with savepoint(connection):
            statement = await prepare(connection, sql)
    except Exception as exc:
        failure = name_fault(FAULTS, exc)
        if failure.kind not in _OF_STATEMENT:
            raise
        return StatementInfo(sql=sql, columns=[], parameters=[], failure=failure.message)
    attributes = statement.get_attributes()
    kinds = await _bases(connection, [one.type.oid for one in attributes])
    taken = await _bases(connection, [one.oid for one in statement.get_parameters()])
    columns = [
        ResultColumn(name=one.name, base=base, labels=labels)
        for one, (base, labels) in zip(attributes, kinds, strict=True)
    ]
    return StatementInfo(
        sql=sql, columns=columns, parameters=[base for base, _ in taken], failure=None
    )


async def _bases(connection: Any, oids: list[int]) -> list[Any]:
    return [tuple(row) for row in await connection.fetch(_BASES, oids)]
