"""Queries whose values stand in settings of the transaction: COPY takes no parameters.

No value ever becomes a part of SQL. Each is bound to a `set_config`, and the query reads
it by `current_setting`: what is put in place of `$1` is the same text for every value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from drawloom.connectors.databases.postgresql.binding import bound
from drawloom.errors import invalid

# The words of SQL in which `$1` is no parameter: texts, names, comments, and what of SQL has
# dollars in its midst. (PostgreSQL's manual, 4.1 Lexical Structure.)
_WORDS = re.compile(
    r"""
    [eE]'(?:[^'\\]|\\.|'')*'
    | '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | --[^\r\n]*
    | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$
    | [^\W\d][\w$]*
    | (?P<comment>/\*)
    | \$(?P<number>\d+)
    """,
    re.VERBOSE | re.DOTALL,
)
_EDGES = re.compile(r"/\*|\*/")
# -1: a type of its own, not `character`, which is one character long.
_TYPES = "SELECT pg_catalog.format_type(oid, -1) FROM unnest($1::oid[]) WITH ORDINALITY AS u (oid, n) ORDER BY n"


async def inlined(
    connection: Any, statement: Any, sql: str, values: Sequence[Any], places: Sequence[str]
) -> str:
    """*sql*, prepared as *statement*, without parameters, for this transaction.

    *values* are as a chain has them; *places* tells where they stand. Raises `ToolError`
    (invalid) for values that do not fit.
    """
    kinds = statement.get_parameters()
    if not kinds:
        return sql
    given = await bound(connection, statement, values, places)
    oids = [kind.oid for kind in kinds]
    types = [name for (name,) in await connection.fetch(_TYPES, oids)]
    sets = ", ".join(
        f"pg_catalog.set_config('drawloom.value_{at}', ${at}::{kind}::text, true)"
        for at, kind in enumerate(types, 1)
    )
    await connection.execute(f"SELECT {sets}", *given)
    return await _same(connection, statement, _with_settings(sql, types, given))


def _with_settings(sql: str, types: Sequence[str], given: Sequence[Any]) -> str:
    parts, at = [], 0
    while word := _WORDS.search(sql, at):
        parts.append(sql[at : word.start()])
        at = _end_of_comment(sql, word.end()) if word["comment"] else word.end()
        number = int(word["number"] or 0)
        if 0 < number <= len(types):
            # A setting holds no NULL, only an empty text.
            value = f"pg_catalog.current_setting('drawloom.value_{number}')"
            value = "NULL" if given[number - 1] is None else value
            parts.append(f"({value}::{types[number - 1]})")
        else:
            parts.append(sql[word.start() : at])
    return "".join([*parts, sql[at:]])


def _end_of_comment(sql: str, at: int) -> int:
    """Where a comment ends, in which others may stand."""
    depth = 1
    while depth and (edge := _EDGES.search(sql, at)):
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return len(sql) if depth else at


async def _same(connection: Any, statement: Any, sql: str) -> str:
    """*sql*, once the server has said that it gives what *statement* gives, and takes no value."""
    made = await connection.prepare(sql)
    if made.get_parameters() or _columns(made) != _columns(statement):
        raise invalid("the SQL uses a parameter where COPY cannot have one; write it plainer")
    return sql


def _columns(statement: Any) -> list[tuple[str, int]]:
    return [(one.name, one.type.oid) for one in statement.get_attributes()]
