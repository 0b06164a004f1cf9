"""What a call would touch, with nobody asked."""

from __future__ import annotations

import pytest

from drawloom.connectors.databases.redis import connector
from drawloom.connectors.databases.redis.tests.test_injection import GIVEN


def told(tool, **given):
    """The touches of a call, in words; there is no client."""
    made = connector.tools[f"redis.{tool}"]
    model = made.model.model_validate(given)
    taken = {name: getattr(model, name) for name in given}
    return [f"{touch.does} {touch.what}" for touch in made.planner(None, **taken)]


@pytest.mark.parametrize("tool", sorted(GIVEN.keys() - {"script"}))
def test_every_tool_tells_something(tool):
    assert told(tool, **GIVEN[tool])


@pytest.mark.parametrize(
    ("tool", "given", "touches"),
    [
        ("get", {"key": "a"}, ["reads key a"]),
        ("set", {"key": "a", "value": "x"}, ["changes key a"]),
        ("mset", {"values": {"a": "x", "b": "y"}}, ["changes key a", "changes key b"]),
        ("delete", {"keys": ["a", "b"]}, ["deletes key a", "deletes key b"]),
        ("list_move", {"source": "a", "target": "b"}, ["changes key a", "changes key b"]),
        (
            "set_combine_into",
            {"target": "c", "how": "union", "keys": ["a"]},
            ["changes key c", "reads key a"],
        ),
        ("publish", {"channel": "c", "message": "x"}, ["sends channel c"]),
        ("scan", {"match": "a*"}, ["reads the names of keys like 'a*'"]),
        (
            "transaction",
            {
                "operations": [
                    {"do": "incr", "key": "a"},
                    {"do": "get", "key": "b"},
                    {"do": "delete", "keys": ["c"]},
                ]
            },
            ["changes key a", "reads key b", "deletes key c"],
        ),
    ],
)
def test_what_is_touched(tool, given, touches):
    assert told(tool, **given) == touches
