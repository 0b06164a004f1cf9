"""Typed forms of INSERT, UPDATE, DELETE and SELECT: names that are known, values that are bound."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.mysql.columns import Table, TableColumn
from drawloom.errors import invalid
from drawloom.sdk import Json, Row

Op = Literal[
    "eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "between",
    "like", "not_like", "is_null", "not_null",
]  # fmt: skip
_COMPARES = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_WITHOUT_VALUE = {"is_null": "IS NULL", "not_null": "IS NOT NULL"}


class Condition(TypedDict):
    """What holds of a column. `value` is a list for `in`, `not_in` and `between` (two)."""

    column: str
    op: Op
    value: NotRequired[Json]


class AnyOf(TypedDict):
    """One at least of these holds."""

    any: Annotated[list[Condition], Field(min_length=1)]


Where: TypeAlias = Annotated[
    list[Condition | AnyOf],
    Field(min_length=1, description="What holds of the rows: all of it. {any: […]} for one of."),
]


class Order(TypedDict):
    """A column to sort by."""

    column: str
    descending: NotRequired[bool]


def where_sql(table: Table, where: list[Any], place: str = "where") -> str:
    """The conditions as SQL, without the word WHERE."""
    return " AND ".join(_one(table, one, f"{place}[{at}]") for at, one in enumerate(where))


def _one(table: Table, one: Any, place: str) -> str:
    if "any" in one:
        parts = [_one(table, inner, f"{place}.any[{at}]") for at, inner in enumerate(one["any"])]
        return f"({' OR '.join(parts)})"
    column = table.column(one["column"], place)
    return f"({column.sql} {_held(table, column, one, place)})"


def _held(table: Table, column: TableColumn, one: Any, place: str) -> str:
    op, value = one["op"], one.get("value")
    if op in _WITHOUT_VALUE:
        if "value" in one:
            raise invalid(f"{place}: {op} takes no value")
        return _WITHOUT_VALUE[op]
    if value is None:
        raise invalid(f"{place}: {op} needs a value that is not null; is_null finds nulls")
    if op in _COMPARES:
        return f"{_COMPARES[op]} {table.value(column, value, f'{place}.value')}"
    if op in ("like", "not_like"):
        if not isinstance(value, str):
            raise invalid(f"{place}.value: a pattern is a text")
        return f"{op.replace('_', ' ').upper()} {table.connection.escape(value)}"
    return _listed(table, column, op, value, f"{place}.value")


def _listed(table: Table, column: TableColumn, op: str, value: Json, place: str) -> str:
    if not isinstance(value, list) or None in value:
        raise invalid(f"{place}: {op} takes a list without nulls")
    written = [table.value(column, one, f"{place}[{at}]") for at, one in enumerate(value)]
    if op == "between":
        if len(written) != 2:
            raise invalid(f"{place}: between takes two values, from and to")
        return f"BETWEEN {written[0]} AND {written[1]}"
    listed = ", ".join(written) or "SELECT NULL FROM DUAL WHERE FALSE"
    return f"{op.replace('_', ' ').upper()} ({listed})"


def insert_sql(table: Table, columns: list[TableColumn], values: list[str], update: str) -> str:
    """One INSERT of some rows, each already written by `row_sql`."""
    listed = ", ".join(column.sql for column in columns)
    return f"INSERT INTO {table.sql} ({listed}) VALUES {', '.join(values)}{update}"


def row_sql(table: Table, columns: list[TableColumn], row: Row, place: str) -> str:
    """A row's values in parentheses. Every row has the fields that the first one has."""
    given = {name.lower(): value for name, value in row.items()}
    names = [column.name.lower() for column in columns]
    if strange := [name for name in given if name not in names]:
        raise invalid(f"{place}: has {strange[0]!r}, which the first row has not")
    if lost := [name for name in names if name not in given]:
        raise invalid(f"{place}: has no {lost[0]!r}; say null where there is no value")
    written = [
        table.value(column, given[name], f"{place}.{column.name}")
        for column, name in zip(columns, names, strict=True)
    ]
    return f"({', '.join(written)})"


def set_sql(table: Table, values: Row) -> str:
    """The assignments of an UPDATE."""
    columns = table.writable(values, "set")
    return ", ".join(
        f"{column.sql} = {table.value(column, value, f'set.{column.name}')}"
        for column, value in zip(columns, values.values(), strict=True)
    )


def upsert_sql(
    table: Table, columns: list[TableColumn], key: list[str], unique: dict[str, list[str]]
) -> str:
    """What an INSERT does for a key that is there.

    The server takes the first unique index that a row collides with, so that there
    must be no other than *key* that it could be.
    """
    keys = {table.column(name, "key").name for name in key}
    written = {column.name for column in columns}
    if not keys <= written:
        raise invalid(f"key: the rows have no {min(keys - written)!r}")
    if not any(set(index) == keys for index in unique.values()):
        raise invalid(
            f"key: {table.name} has no primary key or unique index of just {', '.join(key)}"
        )
    others = [
        name for name, index in unique.items() if set(index) != keys and set(index) & written
    ]
    if others:
        raise invalid(
            f"key: a row could also collide on the unique index {others[0]!r} of {table.name}, and"
            " the server would change that row; use mysql.update and mysql.insert"
        )
    rest = [column.sql for column in columns if column.name not in keys]
    same = table.column(key[0], "key").sql
    changes = ", ".join(f"{name} = VALUES({name})" for name in rest) or f"{same} = {same}"
    return f" ON DUPLICATE KEY UPDATE {changes}"
