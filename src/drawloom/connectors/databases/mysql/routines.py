"""Stored procedures and functions, by the parameters that information_schema tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.mysql.binding import literal, quoted
from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.encoding import Encoder, encoder_of
from drawloom.connectors.databases.mysql.reading import Reader
from drawloom.connectors.databases.mysql.sessions import Done
from drawloom.connectors.databases.mysql.values import reader_of
from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.sdk import Json, Row
from drawloom.sdk.tables import check_count

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client
    from drawloom.connectors.databases.mysql.sessions import Session

_ROUTINE = """
    SELECT r.ROUTINE_NAME, r.ROUTINE_TYPE, p.ORDINAL_POSITION, p.PARAMETER_MODE,
      p.PARAMETER_NAME, p.DATA_TYPE, p.DATETIME_PRECISION, p.DTD_IDENTIFIER
    FROM information_schema.ROUTINES AS r LEFT JOIN information_schema.PARAMETERS AS p
      ON p.SPECIFIC_SCHEMA = r.ROUTINE_SCHEMA AND p.SPECIFIC_NAME = r.SPECIFIC_NAME
      AND p.ROUTINE_TYPE = r.ROUTINE_TYPE
    WHERE r.ROUTINE_SCHEMA = DATABASE() AND r.ROUTINE_NAME = {name}
    ORDER BY r.ROUTINE_TYPE DESC, p.ORDINAL_POSITION
"""


class ResultSet(TypedDict):
    """The rows of one SELECT of a procedure."""

    rows: list[Row]
    columns: list[str]
    count: int


class Called(TypedDict):
    """What a routine gave: its result sets, its OUT and INOUT parameters, a function's value."""

    results: list[ResultSet]
    out: dict[str, Json]
    returned: Json


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. A function's have no mode: they are IN."""

    name: str
    mode: str
    kind: str
    encode: Encoder


@dataclass(frozen=True, slots=True)
class Routine:
    """A procedure or function that was found. `returns` is the type of a function's value."""

    name: str
    parameters: list[Parameter]
    returns: str | None


@connector.tool(effect="once")
async def call(
    client: Client,
    routine: Annotated[str, Field(min_length=1, description="Its name, as it is: not SQL.")],
    args: Annotated[
        dict[str, Json] | None, Field(description="The IN and INOUT parameters, by name.")
    ] = None,
) -> Called:
    """Call a stored procedure or function of the connection's database.

    Each argument is converted by the type of its parameter, or refused with its name.
    It is `once`: a procedure may write, and commit in the middle.
    """
    async with client.committing() as session:
        found = await _routine(session, routine)
        values = _given(found, args or {})
        if found.returns is not None:
            return await _of_function(session, found, values)
        return await _of_procedure(client, session, found, values)


async def _routine(session: Session, name: str) -> Routine:
    rows = await session.rows(_ROUTINE.format(name=literal(session.connection, name)))
    if not rows:
        raise ToolError(
            Failure(FailureKind.MISSING, f"there is no procedure or function {name!r}")
        )
    kind = rows[0][1]
    if any(row[1] != kind for row in rows):
        raise invalid(f"{name!r} is both a procedure and a function; call it by mysql.execute")
    listed = [row for row in rows if row[2]]
    parameters = [
        Parameter(row[4], row[3] or "IN", row[5], encoder_of(row[5], row[6], row[7] or ""))
        for row in listed
    ]
    returns = rows[0][5] if kind == "FUNCTION" else None
    return Routine(rows[0][0], parameters, returns)


def _given(routine: Routine, args: dict[str, Json]) -> dict[str, Json]:
    """A value for SQL by the name of each parameter that takes one."""
    wanted = {one.name: one for one in routine.parameters if one.mode != "OUT"}
    if strange := [name for name in args if name not in wanted]:
        known = ", ".join(wanted) or "none"
        raise invalid(f"args: {routine.name} takes no {strange[0]!r}; it takes {known}")
    if lost := [name for name in wanted if name not in args]:
        raise invalid(f"args: {routine.name} needs {lost[0]!r}; null must be said")
    return {name: _encoded(one, args[name]) for name, one in wanted.items()}


def _encoded(parameter: Parameter, value: Json) -> Json:
    if value is None:
        return None
    try:
        return parameter.encode(value)
    except ValueError as exc:
        raise invalid(f"args.{parameter.name}: {exc}") from None


async def _of_function(session: Session, routine: Routine, values: dict[str, Json]) -> Called:
    listed = ", ".join(literal(session.connection, value) for value in values.values())
    done = await session.run(f"SELECT {quoted(routine.name)}({listed})")
    [[returned]] = [row.values() for row in Reader(done.columns).many(done.rows)]
    return Called(results=[], out={}, returned=returned)


async def _of_procedure(
    client: Client, session: Session, routine: Routine, values: dict[str, Json]
) -> Called:
    """OUT and INOUT parameters are variables of the session, which is reset afterwards."""
    outs = [one for one in routine.parameters if one.mode != "IN"]
    variables = {one.name: f"@drawloom_{at}" for at, one in enumerate(outs)}
    for one in outs:
        value = literal(session.connection, values.get(one.name))
        await session.run(f"SET {variables[one.name]} = {value}")
    listed = [
        variables.get(one.name) or literal(session.connection, values[one.name])
        for one in routine.parameters
    ]
    results = await _results(client, session, f"CALL {quoted(routine.name)}({', '.join(listed)})")
    if session.in_transaction:
        raise invalid(f"{routine.name} has left a transaction open; it is rolled back")
    out = await _out(session, outs, variables)
    return Called(results=results, out=out, returned=None)


async def _results(client: Client, session: Session, sql: str) -> list[ResultSet]:
    results: list[ResultSet] = []
    done: Done | None = await session.call(sql)
    while done is not None:
        if done.columns:
            check_count(len(done.rows), client.settings.max_rows, "mysql.stream")
            reader = Reader(done.columns)
            rows = reader.many(done.rows)
            results.append(ResultSet(rows=rows, columns=reader.names, count=len(rows)))
        done = await session.next_result()
    return results


async def _out(
    session: Session, outs: list[Parameter], variables: dict[str, str]
) -> dict[str, Json]:
    """A variable is a number or a text: what it was is for the parameter to say."""
    if not outs:
        return {}
    done = await session.run(f"SELECT {', '.join(variables.values())}")
    [row] = Reader(done.columns).many(done.rows)
    return {
        one.name: cell if cell is None else reader_of(one.kind)(cell)
        for one, cell in zip(outs, row.values(), strict=True)
    }
