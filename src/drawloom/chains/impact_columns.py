"""Which steps speak of a column of a table: by the SQL that is written in them.

SQL is split into words (names, quoted names, signs); comments and texts are
passed over. It is not parsed: where a name may be of another table, the answer
is `may`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from drawloom.chains.document import Chain, Step
from drawloom.chains.findings import Finding, pointer_of
from drawloom.chains.impact import Certainty, Impact
from drawloom.errors import ValueInvalid

KINDS: Final = ("sqlite", "postgresql")
_WORD: Final = re.compile(
    r"""--[^\n]*|/\*[\s\S]*?(?:\*/|\Z)|\$(?P<tag>\w*)\$[\s\S]*?\$(?P=tag)\$|'(?:[^']|'')*'"""
    r"""|(?P<quoted>"(?:[^"]|"")+"|`[^`]+`|\[[A-Za-z_][^\]]*\])|(?P<name>[A-Za-z_][\w$]*)"""
    r"""|(?P<sign>[.,()*;=])"""
)
_BEFORE_TABLE: Final = frozenset({"from", "join", "into", "update", "table"})
_NO_ALIAS: Final = frozenset(
    {
        *("where", "on", "using", "set", "values", "join", "left", "right", "inner", "full"),
        *("cross", "natural", "group", "order", "limit", "having", "union", "returning", "as"),
        *("select", "default", "when", "offset", "window", "except", "intersect", "for"),
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """`table.column`, in any database, or in that of the connection *database*."""

    table: str
    column: str
    database: str | None = None

    @classmethod
    def parse(cls, text: str) -> Column:
        """`[database.]table.column`. Raises `ValueInvalid`."""
        parts = text.split(".")
        if len(parts) not in (2, 3) or not all(parts):
            raise ValueInvalid(f"--column {text}: write TABLE.COLUMN or DATABASE.TABLE.COLUMN")
        return cls(parts[-2], parts[-1], parts[0] if len(parts) == 3 else None)

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


def column_impact(
    chain: Chain, column: Column, bound: Mapping[str, str] | None = None
) -> tuple[Impact, ...]:
    """The steps of *chain* that use *column*. *bound* gives the connection of each slot."""
    found: list[Impact] = []
    for name, step in chain.steps.items():
        slot = step.on or ""
        if chain.connections.get(slot) not in KINDS:
            continue
        if column.database not in (None, slot, (bound or {}).get(slot)):
            continue
        for path, certainty, why in _uses(step, column):
            found.append(_impact(chain, name, certainty, why, ("steps", name, "with", *path)))
    return tuple(found)


def _impact(
    chain: Chain, step: str, certainty: Certainty, why: str, path: tuple[str | int, ...]
) -> Impact:
    pointer, place = pointer_of(path), {}
    if chain.source is not None:
        line, column = chain.source.place(pointer)
        excerpt = chain.source.excerpt(line)
        place = {"file": chain.source.file, "line": line, "column": column, "excerpt": excerpt}
    severity: Any = "error" if certainty == "breaks" else "warning"
    finding = Finding("column", why, severity, pointer=pointer, **place)  # type: ignore[arg-type]
    return Impact(chain.name, step, certainty, why, finding)


def _uses(step: Step, column: Column) -> Iterator[tuple[tuple[str | int, ...], Certainty, str]]:
    fields = step.with_
    if not isinstance(fields, Mapping):
        yield (), "may", "its input is only known when it runs"
        return
    for path, sql in _statements(fields):
        if (use := use_in(sql, column)) is not None:
            yield path, *use
    if "table" in fields and (use := _whole_table(fields, column)) is not None:
        yield ("table",), *use


def _statements(fields: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(sql := fields.get("sql"), str):
        yield ("sql",), sql
    if isinstance(several := fields.get("statements"), list):
        for number, one in enumerate(several):
            if isinstance(one, Mapping) and isinstance(one.get("sql"), str):
                yield ("statements", number, "sql"), one["sql"]
    elif isinstance(several, str):
        yield ("statements",), several


def _whole_table(fields: Mapping[str, Any], column: Column) -> tuple[Certainty, str] | None:
    """A tool that is given a table and rows."""
    table = fields["table"]
    if not isinstance(table, str) or "${" in table:
        return "may", "its table is only known when it runs"
    if table.lower() != column.table.lower():
        return None
    rows = fields.get("rows")
    named = [*fields.get("key", ()), *(fields.get("columns") or {})]
    if isinstance(rows, list):
        named += [name for row in rows if isinstance(row, Mapping) for name in row]
    if column.column.lower() in {str(name).lower() for name in named}:
        return "breaks", f"it writes {column}"
    if isinstance(rows, list):
        return None
    return "may", f"its rows, which are only known when it runs, may have {column.column}"


def use_in(sql: str, column: Column) -> tuple[Certainty, str] | None:
    """How *sql* uses the column; None where it does not speak of its table."""
    if "${" in sql:
        words = [word.lower() for word in _words(sql)]
        if column.table.lower() in words or sql.startswith("${"):
            return "may", "its SQL is only known when it runs"
        return None
    words = [word.lower() for word in _words(sql)]
    tables = dict(_tables(words))
    wanted, name = column.table.lower(), column.column.lower()
    if wanted not in tables.values():
        return None
    qualifiers = {alias for alias, table in tables.items() if table == wanted} | {wanted}
    verdicts = {_verdict(words, n, qualifiers, tables) for n, w in enumerate(words) if w == name}
    if "breaks" in verdicts:
        return "breaks", f"its SQL uses {column}"
    if "may" in verdicts:
        return "may", f"its SQL speaks of {column.column}, which may be of {column.table}"
    if any(w == "*" and words[n - 1 : n] != ["("] for n, w in enumerate(words)):
        return "may", f"its SQL takes all columns of {column.table}"
    if "insert" in words and not _lists_columns(words, wanted):
        return "may", f"its SQL fills {column.table} without naming columns"
    return None


def _verdict(
    words: list[str], at: int, qualifiers: set[str], tables: Mapping[str, str]
) -> Certainty | None:
    if at >= 2 and words[at - 1] == ".":
        return "breaks" if words[at - 2] in qualifiers else None
    if words[at + 1 : at + 2] in (["."], ["("]):
        return None  # a table or a function of that name
    return "breaks" if len(set(tables.values())) == 1 else "may"


def _lists_columns(words: list[str], table: str) -> bool:
    return any(w == table and words[n + 1 : n + 2] == ["("] for n, w in enumerate(words))


def _tables(words: list[str]) -> Iterator[tuple[str, str]]:
    """`(alias, table)` of each table that the words name; a table is an alias of itself."""
    listing = False
    for n, word in enumerate(words):
        if word in _BEFORE_TABLE or (listing and word == ","):
            table, after = _qualified(words, n + 1)
            if not table:
                continue
            yield table, table
            after += words[after : after + 1] == ["as"]
            alias = words[after : after + 1]
            if alias and alias[0] not in _NO_ALIAS and alias[0].isidentifier():
                yield alias[0], table
            listing = word in ("from", ",")
        elif word in _NO_ALIAS - {"as"} or word in "()":
            listing = False


def _qualified(words: list[str], at: int) -> tuple[str, int]:
    """The last part of a name such as `public.orders`, and where the words go on."""
    if at >= len(words) or words[at] in "().,;=*" or words[at] in ("select", "only", "if"):
        return "", at
    while words[at + 1 : at + 2] == ["."] and at + 2 < len(words):
        at += 2
    return words[at], at + 1


def _words(sql: str) -> Iterator[str]:
    for match in _WORD.finditer(sql):
        if (quoted := match["quoted"]) is not None:
            yield quoted[1:-1].replace('""', '"')
        elif (word := match["name"] or match["sign"]) is not None:
            yield word
