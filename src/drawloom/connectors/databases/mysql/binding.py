"""SQL of an author, and the values that are put where it has a `?`.

The protocol that both drivers speak takes values as literals: each is written so
that the server reads just this value. What is quoted or a comment in the SQL is
left alone, so that a `?` in it is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.sdk import Json
from drawloom.sdk.encoding import write_json

_TOKEN = re.compile(
    r"""
    (?P<quoted> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`]|``)*` )
  | (?P<run> /\*M?! )
  | (?P<comment> --(?=\s|$)[^\n]* | \#[^\n]* | /\*.*?\*/ )
  | (?P<mark> \? )
  | (?P<variable> @ | := )
  | (?P<call> [^\W\d]\w*(?=\s*\() )
  | (?P<word> [^\W\d][\w$]* )
  | (?P<open> ['"`] | /\* )
    """,
    re.VERBOSE | re.DOTALL,
)
_READS = frozenset(
    {"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "("}
)
_IN_TRANSACTION = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "SELECT", "("})
# What ends or begins a transaction, or reaches the next step by way of the session.
_REFUSED = frozenset(
    {
        *("BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA", "LOCK"),
        *("UNLOCK", "USE", "PREPARE", "EXECUTE", "DEALLOCATE", "HANDLER", "CHANGE", "LOAD"),
    }
)
# Words before a parenthesis that set nothing, neither a variable nor a lock. After any
# other the session is reset.
_HARMLESS = """
SELECT FROM WHERE AND OR NOT IN EXISTS AS ON USING BY OVER UNION ALL JOIN INDEX KEY VALUES WHEN
THEN ELSE CASE BETWEEN LIKE INTERVAL XOR IS ANY SOME HAVING PARTITION EXCEPT INTERSECT COUNT
SUM MIN MAX AVG GROUP_CONCAT COALESCE IFNULL NULLIF IF CAST CONVERT CONCAT CONCAT_WS LOWER
UPPER TRIM LENGTH CHAR_LENGTH SUBSTRING SUBSTR LEFT RIGHT REPLACE REPEAT LPAD RPAD ABS ROUND
FLOOR CEIL CEILING MOD GREATEST LEAST NOW CURDATE CURRENT_DATE CURRENT_TIMESTAMP DATE YEAR
MONTH DAY HOUR MINUTE SECOND DATE_ADD DATE_SUB DATEDIFF DATE_FORMAT TIMESTAMPDIFF
UNIX_TIMESTAMP FROM_UNIXTIME STR_TO_DATE ROW_NUMBER RANK DENSE_RANK LAG LEAD HEX UNHEX FIELD
ROW CHAR VARCHAR DECIMAL BINARY DATETIME TIME JSON_EXTRACT JSON_VALUE JSON_UNQUOTE JSON_OBJECT
JSON_ARRAY JSON_ARRAYAGG JSON_OBJECTAGG MD5 SHA1 SHA2
"""
_HARMLESS_CALLS = frozenset(_HARMLESS.split())
_LIST_BEFORE = re.compile(r"\bIN\s*\(\s*\Z", re.IGNORECASE)
_LIST_AFTER = re.compile(r"\s*\)")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL cut at its marks. `clean` where it cannot leave anything in the session."""

    parts: tuple[str, ...]
    verb: str
    clean: bool
    gives: bool  # whether it says INTO, and gives its rows to a file or variable

    @property
    def in_transaction(self) -> bool:
        """Whether it can stand in a transaction: the server commits after anything else."""
        return self.verb in _IN_TRANSACTION


@lru_cache(maxsize=512)
def parsed(sql: str) -> Statement:
    """Cut *sql*. Raises `ToolError` (invalid) for what one cannot be sure of."""
    parts, words, began = [], [], 0
    clean = True
    for token in _TOKEN.finditer(sql):
        kind = token.lastgroup
        if kind == "mark":
            parts.append(sql[began : token.start()])
            began = token.end()
        elif kind in ("word", "call"):
            words.append(token.group().upper())
            clean = clean and (kind == "word" or words[-1] in _HARMLESS_CALLS)
        elif kind == "variable":
            clean = False
        elif kind in ("run", "open"):
            raise invalid(_UNSURE[token.group()] if kind == "open" else _RUN)
    parts.append(sql[began:])
    gives = "INTO" in words[1:] and bool(words) and words[0] in _READS
    return Statement(tuple(parts), words[0] if words else "", clean, gives)


_RUN = "a comment that the server runs (/*! … */) is refused; write what is in it without it"
_UNSURE = {mark: f"{mark} is not closed in the SQL" for mark in ("'", '"', "`", "/*")}


def read_statement(sql: str) -> Statement:
    """*sql*, which only reads. Raises `ToolError` (denied) otherwise."""
    statement = parsed(sql)
    if statement.verb not in _READS or statement.gives:
        said = f"{statement.verb} … INTO" if statement.gives else statement.verb or "no statement"
        message = f"{said}: mysql.query only reads, mysql.execute writes"
        raise ToolError(Failure(FailureKind.DENIED, message, harmless=True))
    return statement


def write_statement(sql: str) -> Statement:
    """*sql*, unless it would begin or end a transaction, or last beyond its step."""
    statement = parsed(sql)
    if statement.verb in _REFUSED:
        raise invalid(
            f"{statement.verb} is refused: a step is a transaction of its own, and a session"
            " is shared (use mysql.transaction, mysql.load)"
        )
    return statement


def bound(connection: Any, statement: Statement, args: list[Json], run: int | None = None) -> str:
    """The SQL with *args* in it. *run* counts the lists of execute_many."""
    parts = statement.parts
    where = "args" if run is None else f"args[{run}]"
    if len(args) != len(parts) - 1:
        raise invalid(f"the SQL has {len(parts) - 1} parameters, {where} has {len(args)}")
    written = [parts[0]]
    for place, value in enumerate(args):
        before, after = parts[place], parts[place + 1]
        if isinstance(value, list) and _LIST_BEFORE.search(before) and _LIST_AFTER.match(after):
            written.append(_listed(connection, value, f"{where}[{place}]"))
        else:
            written.append(literal(connection, value))
        written.append(after)
    return "".join(written)


def literal(connection: Any, value: Json) -> str:
    """*value* as SQL. Lists and objects are JSON text."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value)
        case float():
            return f"{value!r}e0" if "e" not in repr(value) else repr(value)
        case Decimal():
            return f"{value:f}"
        case bytes():
            return f"x'{value.hex()}'"
        case str():
            return str(connection.escape(value))
        case _:
            return str(connection.escape(write_json(value)))


def _listed(connection: Any, values: list[Json], where: str) -> str:
    """Several values for IN. Of none, a query that finds none: IN () is no SQL."""
    if any(isinstance(value, list | dict) for value in values):
        raise invalid(f"{where}: a list for IN holds single values")
    if not values:
        return "SELECT NULL FROM DUAL WHERE FALSE"
    return ", ".join(literal(connection, value) for value in values)


def quoted(name: str) -> str:
    """A name in SQL that is just this name."""
    return "`" + name.replace("`", "``") + "`"
