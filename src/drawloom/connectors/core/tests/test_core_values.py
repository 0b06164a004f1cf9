from __future__ import annotations

from typing import Any

import pytest

from drawloom.connectors.core import connector
from drawloom.errors import Failure, FailureKind
from drawloom.sdk import name_fault
from drawloom.sdk.contract import call_checked

# pydantic warns that a parameter is called like an attribute of its models.


async def call(tool: str, **arguments: Any) -> Any:
    return await call_checked(connector.tools[f"core.{tool}"], **arguments)


async def failure(tool: str, **arguments: Any) -> Failure:
    with pytest.raises(Exception) as raised:
        await call(tool, **arguments)
    return name_fault(connector.faults, raised.value)


@pytest.mark.parametrize("value", [None, 0, "x", [], {"a": [1, None]}])
async def test_transform_gives_its_value(value: Any) -> None:
    assert await call("transform", value=value) == {"value": value}


def test_transform_does_not_copy() -> None:
    value = [{"a": 1}]
    assert connector.tools["core.transform"](value)["value"] is value


CASES = [
    {"name": "none", "when": False},
    {"name": "some", "when": True},
    {"name": "all", "when": True},
]


async def test_route_takes_the_first_case_that_holds() -> None:
    assert await call("route", value=[1], cases=CASES) == {"port": "some", "value": [1]}
    assert (await call("route", value=1, cases=CASES[:1], default="other"))["port"] == "other"


@pytest.mark.parametrize(
    ("value", "port"),
    [
        (1, "one"),
        (1.0, "one"),
        (True, "yes"),
        ("1", "text"),
        (None, "null"),
        ([1.0], "list"),
        (2, "other"),
    ],
)
async def test_route_by_constants_as_json_compares(value: Any, port: str) -> None:
    cases = {"one": 1, "yes": True, "text": "1", "null": None, "list": [1], "again": 1}
    assert await call("route", value=value, cases=cases, default="other") == {
        "port": port,
        "value": value,
    }


async def test_route_without_a_case_fails_and_names_them() -> None:
    for cases in (CASES[:1], {"none": 5}):
        found = await failure("route", value=1, cases=cases)
        assert found.kind is FailureKind.INVALID
        assert found.details == {"cases": ["none"]}
    assert (await failure("route", value=1, cases={})).kind is FailureKind.INVALID


SCHEMA = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}}


async def test_validate_gives_the_value_on() -> None:
    assert await call("validate", value=[{"id": 1}], schema=SCHEMA) == {"value": [{"id": 1}]}
    assert await call("validate", value=5, schema=True) == {"value": 5}


async def test_validate_lists_every_error_with_its_pointer() -> None:
    found = await failure("validate", value=[{"id": "a"}, 5, {"id": 1}], schema=SCHEMA)
    assert found.kind is FailureKind.INVALID
    assert found.details is not None
    assert found.details["more"] is False
    assert [each["path"] for each in found.details["errors"]] == ["/0/id", "/1"]
    assert "2 places" in found.message


async def test_validate_lists_a_hundred_errors_and_says_that_there_are_more() -> None:
    found = await failure("validate", value=["x"] * 500, schema={"items": {"type": "integer"}})
    assert found.details is not None
    assert len(found.details["errors"]) == 100
    assert found.details["more"] is True


@pytest.mark.parametrize(
    "schema", [{"type": "nope"}, {"pattern": "(?=a)"}, {"$ref": "https://example.com"}]
)
async def test_validate_refuses_what_is_no_schema(schema: Any) -> None:
    found = await failure("validate", value=1, schema=schema)
    assert found.kind is FailureKind.INVALID
    assert "schema" in found.message
