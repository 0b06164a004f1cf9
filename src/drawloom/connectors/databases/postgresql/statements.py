"""Statements that the server keeps prepared, one cache for each connection."""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.postgresql.binding import (
    columns_of,
    parameters,
    prepare,
    taker,
)
from drawloom.connectors.databases.postgresql.reading import Reader
from drawloom.sdk import Json

if TYPE_CHECKING:
    import asyncpg

_KEPT = 100  # statements of one connection
_LONGEST = 16_384  # characters; what is longer was hardly written to be repeated

# In a plain statement each word before a parenthesis is one of these: none of them can leave
# a setting, a lock or a table behind. Any other may be a function that does.
_HARMLESS = frozenset(
    [
        "select",
        "from",
        "where",
        "and",
        "or",
        "not",
        "in",
        "exists",
        "as",
        "on",
        "using",
        "by",
        "over",
        "union",
        "all",
        "join",
        "values",
        "when",
        "then",
        "else",
        "case",
        "between",
        "like",
        "ilike",
        "is",
        "any",
        "some",
        "having",
        "partition",
        "except",
        "intersect",
        "filter",
        "within",
        "lateral",
        "with",
        "distinct",
        "array",
        "row",
        "cast",
        "limit",
        "offset",
        "order",
        "group",
        "set",
        "interval",
        "numeric",
        "decimal",
        "varchar",
        "char",
        "timestamp",
        "timestamptz",
        "time",
        "bit",
        "count",
        "sum",
        "avg",
        "min",
        "max",
        "coalesce",
        "nullif",
        "greatest",
        "least",
        "lower",
        "upper",
        "initcap",
        "trim",
        "btrim",
        "ltrim",
        "rtrim",
        "length",
        "char_length",
        "substring",
        "substr",
        "left",
        "right",
        "replace",
        "repeat",
        "lpad",
        "rpad",
        "split_part",
        "position",
        "strpos",
        "concat",
        "concat_ws",
        "format",
        "md5",
        "abs",
        "round",
        "floor",
        "ceil",
        "ceiling",
        "mod",
        "power",
        "sqrt",
        "sign",
        "trunc",
        "now",
        "date_trunc",
        "date_part",
        "extract",
        "age",
        "to_char",
        "to_date",
        "to_timestamp",
        "to_number",
        "make_date",
        "make_interval",
        "generate_series",
        "row_number",
        "rank",
        "dense_rank",
        "ntile",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "array_agg",
        "string_agg",
        "bool_and",
        "bool_or",
        "json_agg",
        "jsonb_agg",
        "json_build_object",
        "jsonb_build_object",
        "to_json",
        "to_jsonb",
        "unnest",
        "array_length",
        "cardinality",
        "encode",
        "decode",
    ]
)
_PLAIN = re.compile(r"\s*(?:select|with|values|table)\b", re.IGNORECASE)
_CALLED = re.compile(r'([\w$.]+|")\s*\(|(--|/\*)')


class Prepared:
    """A statement that the server has prepared, and what never changes of it."""

    __slots__ = ("_plain", "_takers", "columns", "reader", "statement")

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        self.columns = columns_of(statement)
        self.reader = Reader(statement)
        kinds = statement.get_parameters()
        self._takers = [taker(kind) for kind in kinds]
        self._plain = all(
            kind.kind == "scalar" and not kind.name.endswith("range") for kind in kinds
        )

    async def bound(self, connection: asyncpg.Connection[Any], args: list[Json]) -> list[Any]:
        """*args* as the driver takes them. Raises `ToolError` (invalid) with the place."""
        if self._plain and len(args) == len(self._takers):
            try:
                return [
                    value if take is None or value is None else take(value)
                    for take, value in zip(self._takers, args, strict=True)
                ]
            except ValueError:
                pass  # below, with the words for it
        return await parameters(connection, self.statement, args)

    async def fetch(self, values: list[Any], most: int) -> list[Any]:
        """The first rows, *most* of them.

        The driver can do it, as its `fetchrow` does for one, but gives no name to it.
        """
        rows: list[Any] = await self.statement._PreparedStatement__bind_execute(values, most, None)
        return rows


class Statements:
    """The statements of one connection, those used last."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection
        self._kept: OrderedDict[str, Prepared] = OrderedDict()

    def known(self, sql: str) -> Prepared | None:
        """The statement if the server has it."""
        found = self._kept.get(sql)
        if found is not None:
            self._kept.move_to_end(sql)
        return found

    async def prepare(self, sql: str) -> Prepared:
        """Have the server prepare it. Raises what it says of a statement that is wrong."""
        made = Prepared(await prepare(self._connection, sql))
        if len(sql) <= _LONGEST:
            self._kept[sql] = made
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def forget(self, sql: str) -> None:
        """Have it prepared anew at its next use."""
        self._kept.pop(sql, None)


@lru_cache(maxsize=1_000)
def is_plain(sql: str) -> bool:
    """Whether a statement can be seen to leave nothing in its session.

    It reads, and calls nothing but functions known to be harmless. A view or an operator may
    still call others; the owner of the database, who made it, knows what it leaves.
    """
    if _PLAIN.match(sql) is None:
        return False
    # A comment may stand between a name and its parenthesis: then one does not look further.
    return all(word.lower() in _HARMLESS for word, _ in _CALLED.findall(sql))
