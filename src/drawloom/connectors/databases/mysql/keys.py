"""Columns of a result as the key of a stream: which can be one, and a cursor as SQL again."""

from __future__ import annotations

from dataclasses import dataclass

from drawloom.connectors.databases.mysql.binding import quoted
from drawloom.connectors.databases.mysql.encoding import Encoder, encoder_of
from drawloom.connectors.databases.mysql.values import Column
from drawloom.errors import invalid

# What does not come back as it went out, or is sorted in one way and compared in another.
_NO_KEYS = {
    "float": "FLOAT comes rounded; use a DOUBLE or DECIMAL",
    "enum": "ENUM is sorted by its numbers and compared by its texts; use CAST(… AS CHAR)",
    "set": "SET is sorted by its numbers and compared by its texts; use CAST(… AS CHAR)",
    "json": "JSON has no order of its own; use a field of it",
    "geometry": "a geometry has no order",
}


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column of the key. `encode` makes of a chain value what the column is compared with.

    `is_text` where only the server knows what is equal: to many collations a is A.
    """

    name: str
    encode: Encoder
    is_text: bool

    def sql(self, table: str) -> str:
        return f"{table}.{quoted(self.name)}"


def key_columns(columns: list[Column], named: list[str]) -> list[KeyColumn]:
    """The columns of that name. Raises `ToolError` (invalid) for what cannot be a key."""
    known = {column.name: column for column in columns}
    if strange := [name for name in named if name not in known]:
        listed = ", ".join(known)
        raise invalid(f"the result has no column {strange[0]!r}; it has {listed}", path="/key")
    return [_key_column(known[name]) for name in named]


def _key_column(column: Column) -> KeyColumn:
    if column.kind in _NO_KEYS:
        raise invalid(f"{column.name} cannot be a key: {_NO_KEYS[column.kind]}", path="/key")
    return KeyColumn(column.name, encoder_of(column.kind, 6, ""), column.kind == "text")
