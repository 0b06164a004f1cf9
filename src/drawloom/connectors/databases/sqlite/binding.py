"""From chain values to SQL parameters, and from cells back to chain values."""

from __future__ import annotations

import base64
import binascii
import math
from typing import TYPE_CHECKING, Any

from drawloom.errors import invalid
from drawloom.sdk import Json
from drawloom.sdk.encoding import encode_value, write_json

if TYPE_CHECKING:
    import apsw
    from apsw.ext import QueryDetails

    from drawloom.connectors.databases.sqlite.handle import Handle

LARGEST_EXACT = 2**53 - 1


def inspect(handle: Handle, sql: str) -> QueryDetails:
    """What *sql* is, without running it. Refuses anything but exactly one statement."""
    from apsw import ext

    found = ext.query_info(handle.apsw, sql)
    if not found.has_vdbe and not found.bindings_count:
        raise invalid("the SQL holds no statement")
    if found.query_remaining and ext.query_info(handle.apsw, found.query_remaining).has_vdbe:
        raise invalid("one statement at a time; give several to sqlite.transaction")
    return found


def bound(found: QueryDetails, args: list[Json] | dict[str, Json] | None) -> Any:
    """The parameters of the statement *found*, by position or by name, each one used."""
    names = [name for name in found.bindings_names if name is not None]
    if isinstance(args, dict):
        return _by_name(found, names, args)
    given = args or []
    if names and any(not name.isdigit() for name in names):
        raise invalid(f"the SQL names its parameters ({', '.join(names)}); give args as an object")
    if len(given) != found.bindings_count:
        raise invalid(f"the SQL has {found.bindings_count} parameters, args has {len(given)}")
    return tuple(_parameter(value, f"args[{place}]") for place, value in enumerate(given))


def _by_name(found: QueryDetails, names: list[str], args: dict[str, Json]) -> Any:
    if len(names) != found.bindings_count:
        raise invalid("the SQL has parameters without a name; give args as a list")
    if missing := [name for name in names if name not in args]:
        raise invalid(f"args lacks {', '.join(missing)}, which the SQL names")
    if unused := [name for name in args if name not in names]:
        raise invalid(f"the SQL has no parameter {', '.join(map(repr, unused))}")
    return {name: _parameter(value, f"args.{name}") for name, value in args.items()}


def _parameter(value: Json, place: str) -> Any:
    """A list or an object goes in as its JSON text, which `json_each` takes apart."""
    if isinstance(value, list | dict):
        return write_json(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise invalid(f"{place}: {value} needs more than the 64 bits of an SQLite integer")
    return value


def from_base64(*text: Any) -> bytes:
    """The SQL function of that name: base64 (RFC 4648) to BLOB."""
    try:
        return base64.b64decode(text[0], validate=True)
    except (binascii.Error, TypeError, ValueError) as exc:
        raise invalid(f"from_base64: {exc}") from None


def add_functions(connection: apsw.Connection) -> None:
    """Give SQL what the encoding of values needs."""
    connection.create_scalar_function("from_base64", from_base64, 1, deterministic=True)


def columns_of(found: QueryDetails) -> list[str]:
    """The names of the result's columns; each must be there once, for a row is an object."""
    names = [name for name, _ in found.description]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid(
            f"the result has two columns named {', '.join(map(repr, twice))}; name one with AS"
        )
    return names


def row_of(names: list[str], cells: tuple[Any, ...]) -> dict[str, Json]:
    """One row as an object of chain values."""
    return {
        name: cell if type(cell) is str or cell is None else _cell(cell)
        for name, cell in zip(names, cells, strict=True)
    }


def _cell(value: Any) -> Json:
    if type(value) is float and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"  # JSON has no number for it
    return encode_value(value)
