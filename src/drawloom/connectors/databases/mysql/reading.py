"""From rows of the driver to objects, exact and as I-JSON."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

from drawloom.connectors.databases.mysql.values import Column, columns_of
from drawloom.errors import ValueInvalid, invalid
from drawloom.sdk import Row

_KEPT = 500  # kinds of results of one client

Cells = tuple[Any, ...]


class Reader:
    """Makes objects of the rows of one kind of result."""

    __slots__ = ("_names", "_read", "columns")

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns
        self._names = names_of(columns)
        self._read = [(at, column) for at, column in enumerate(columns) if column.read]

    @property
    def names(self) -> list[str]:
        """The names of the columns, in a list of its own."""
        return self._names.copy()

    def many(self, records: Sequence[Cells]) -> list[Row]:
        """Their objects. Cells are made chain values by columns, where they are none yet."""
        rows: list[Row] = list(map(dict, map(zip, repeat(self._names), records)))
        for at, column in self._read:
            cells = list(map(itemgetter(at), records))
            if not column.fits(cells):
                _put(rows, column, cells)
        return rows


class Readers:
    """The readers of one client: those of results that the server described before."""

    def __init__(self) -> None:
        self._kept: dict[tuple[bytes, ...], Reader] = {}

    def of(self, fields: Sequence[Any]) -> Reader:
        """The reader of a result with these fields, as the driver gives them."""
        described = tuple([field.get_all_data() for field in fields])
        found = self._kept.get(described)
        if found is None:
            found = Reader(columns_of(fields))
            if len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[described] = found
        return found


def names_of(columns: list[Column]) -> list[str]:
    """The names, each of which must be there once, for a row is an object."""
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise invalid(
            f"the result has two columns named {', '.join(map(repr, twice))}; name one with AS"
        )
    return names


def _put(rows: list[Row], column: Column, cells: list[Any]) -> None:
    name, read = column.name, column.read
    assert read is not None
    try:
        for row, cell in zip(rows, cells, strict=True):
            if cell is not None:
                row[name] = read(cell)
    except ValueInvalid as exc:
        raise invalid(f"the column {name!r}: {exc}") from exc
