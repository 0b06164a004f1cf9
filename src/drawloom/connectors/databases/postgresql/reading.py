"""From records of the driver to objects, exact and as I-JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.postgresql.numbers import number_out
from drawloom.errors import invalid
from drawloom.sdk import Json, Row
from drawloom.sdk.encoding import LARGEST_INTEGER, depth_within, encode_value

if TYPE_CHECKING:
    from asyncpg.types import Type


class Reader:
    """Makes objects of the records of one statement."""

    def __init__(self, statement: Any) -> None:
        attributes = statement.get_attributes()
        self._names = [a.name for a in attributes]
        # Columns whose codec is in C gives numbers that may be too large, or none; and those
        # of types with parts. The codecs of all others gave JSON.
        self._numbers = [at for at, a in enumerate(attributes) if _may_be_no_json(a.type)]
        self._parts = [at for at, a in enumerate(attributes) if not is_plain_type(a.type)]
        self._deep = bool(self._parts) or any(a.type.name in _DEEP for a in attributes)
        self._long = [at for at in self._numbers if attributes[at].type.name == "int8"]

    def one(self, record: Any) -> Row:
        """The object of one record."""
        row: Row = dict(record)
        for at in self._numbers:
            if (cell := record[at]) is not None:
                row[self._names[at]] = number_out(cell)
        for at in self._parts:
            if (cell := record[at]) is not None:
                row[self._names[at]] = encode_cell(cell)
        if self._deep:
            _check_depth(row)
        return row

    def many(self, records: list[Any]) -> list[Row]:
        """Their objects. Numbers are looked at by columns, at a fraction of the cost."""
        if self._deep or not all(self._fit(at, records) for at in self._numbers):
            return list(map(self.one, records))
        return list(map(dict, records))

    def _fit(self, at: int, records: list[Any]) -> bool:
        """Whether each number of a column is one that JSON has."""
        column: Iterable[Any] = list(map(itemgetter(at), records))
        if None in column:
            column = [cell for cell in column if cell is not None]
        if at in self._long:
            return not column or -LARGEST_INTEGER <= min(column) <= max(column) <= LARGEST_INTEGER
        return math.isfinite(sum(column))


# What stands in these may be as deep as JSON may be, and a row is not the outermost part.
_DEEP = frozenset({"json", "jsonb"})
_ROOM = 195


def _check_depth(row: Row) -> None:
    for name, cell in row.items():
        if not depth_within(cell, _ROOM):
            raise invalid(f"the column {name!r} holds a value nested more than {_ROOM} deep")


def _may_be_no_json(kind: Type) -> bool:
    return is_plain_type(kind) and kind.name in ("int8", "float4", "float8")


_DONE = frozenset(
    {
        *("bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar"),
        *("bpchar", "name", "uuid", "json", "jsonb", "bytea", "date", "time", "timetz"),
        *("timestamp", "timestamptz", "interval"),
    }
)


def is_plain_type(kind: Type) -> bool:
    """Whether a type's codec alone gives and takes chain values."""
    return kind.kind == "scalar" and kind.schema == "pg_catalog" and kind.name in _DONE


def encode_cell(value: Any) -> Json:
    """A value of the driver as a chain value: arrays, composites and ranges part by part."""
    import ipaddress

    from asyncpg import Range, Record

    match value:
        case float():
            return number_out(value)
        case Record():
            return {name: encode_cell(inner) for name, inner in value.items()}
        case Range():
            return _range(value)
        case list() | tuple():
            return [encode_cell(inner) for inner in value]
        case ipaddress._BaseAddress() | ipaddress._BaseNetwork():
            return str(value)
        case bytes():
            return value.decode("latin-1")  # "char", one byte of the catalogues; bytea is done
        case _:
            return encode_value(value)


def _range(value: Any) -> Json:
    if value.isempty:
        return {"empty": True}
    return {
        "lower": encode_cell(value.lower),
        "upper": encode_cell(value.upper),
        "lower_inc": value.lower_inc,
        "upper_inc": value.upper_inc,
    }
