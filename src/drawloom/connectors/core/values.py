"""Tools on one value: shape it, choose a way by it, check it."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.core.connection import connector
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import Json, invalid
from drawloom.sdk.data import Validator, canonical_json, identity_of
from drawloom.sdk.encoding import read_json

_ERRORS_AT_MOST = 100


class Value(TypedDict):
    """A value, under its name."""

    value: Json


class Case(TypedDict):
    """A way that may be taken: its name, and whether its condition holds."""

    name: str
    when: bool


class Routed(TypedDict):
    """The name of the way taken, and the value that takes it."""

    port: str
    value: Json


@connector.tool(effect="pure", inline=True)
def transform(value: Json) -> Value:
    """Give a value, as the expressions in it shape it.

    Write the shape in `value`, with a `${…}` wherever something is filled in.
    """
    return {"value": value}


@connector.tool(effect="pure", inline=True)
def route(
    value: Json,
    cases: list[Case] | dict[str, Json],
    default: str | None = None,
) -> Routed:
    """Choose one way: the first case that holds, or that the value equals.

    `cases` is a list of `{name, when}` (the first whose `when` is true), or maps
    names to constants (the first that the value equals, as JSON does: 1 is 1.0
    and true is not 1). Steps then run `when: steps.NAME.port = "big"`. Where
    no case holds the port is `default`; without one that is a failure.
    """
    port = _port(value, cases)
    port = default if port is None else port
    if port is None:
        names = [case["name"] for case in cases] if isinstance(cases, list) else list(cases)
        raise invalid("no case holds, and there is no default; add one", cases=names)
    return {"port": port, "value": value}


def _port(value: Json, cases: list[Case] | dict[str, Json]) -> str | None:
    if isinstance(cases, list):
        return next((case["name"] for case in cases if case["when"]), None)
    wanted = identity_of(value)
    return next((name for name, each in cases.items() if identity_of(each) == wanted), None)


# Not inline: a big value or a heavy schema is checked in a thread.
@connector.tool(effect="pure")
def validate(
    value: Json, schema: Annotated[dict[str, Any] | bool, Field(description="JSON Schema")]
) -> Value:
    """Check a value against a JSON Schema, and give it on.

    Draft 2020-12 unless the schema's `$schema` says another. A value that does
    not fit is a failure of kind invalid whose details list up to 100 `errors`,
    each with `path` (JSON Pointer) and `message`, and say by `more` whether
    there were others.
    """
    validator = _validator(canonical_json(schema))
    found = [] if validator.is_valid(value) else validator.errors(value, _ERRORS_AT_MOST + 1)
    if not found:
        return {"value": value}
    errors = [{"path": path, "message": message} for path, message in found[:_ERRORS_AT_MOST]]
    first = f"{errors[0]['path'] or '(root)'}: {errors[0]['message']}"
    more = len(found) > _ERRORS_AT_MOST
    count = f"at least {_ERRORS_AT_MOST + 1} places" if more else f"{len(found)} places"
    where = "" if len(found) == 1 else f" (of {count})"
    raise ToolError(
        Failure(
            FailureKind.INVALID,
            f"the value does not fit the schema: {first}{where}",
            details={"errors": errors, "more": more},
        )
    )


@lru_cache(maxsize=128)
def _validator(schema: bytes) -> Validator:
    """By the schema's text: each call of a step brings the same schema as another object."""
    return Validator(read_json(schema))
