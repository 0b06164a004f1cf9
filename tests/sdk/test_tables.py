"""Rows in four shapes, and what a chain is told of each before it runs."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.errors import ToolError
from drawloom.sdk.tables import check_count, shaped, shaping

ROWS = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]
INTEGER, ROW = {"type": "integer"}, {"type": "object", "required": ["id", "v"]}
SHAPES: list[tuple[str, str | None, Any, Any]] = [
    ("objects", None, ROWS, {"type": "array", "items": ROW}),
    ("arrays", None, [[1, "a"], [2, "b"]], {"type": "array", "items": {"type": "array"}}),
    (
        "keyed",
        "id",
        {"1": ROWS[0], "2": ROWS[1]},
        {"type": "object", "additionalProperties": ROW},
    ),
]


@pytest.mark.parametrize(("shape", "key", "rows", "schema"), SHAPES)
def test_rows_in_a_shape(shape: str, key: str | None, rows: Any, schema: Any) -> None:
    assert shaping(shape, key, ["id", "v"])(ROWS) == rows
    assert shaped({"shape": shape}, ROW, INTEGER) == {"rows": schema}


def test_the_values_of_one_column() -> None:
    assert shaping("column", None, ["id"])([{"id": 1}, {"id": 2}]) == [1, 2]
    given = {"shape": "column"}
    assert shaped(given, ROW, INTEGER) == {"rows": {"type": "array", "items": INTEGER}}
    assert shaped(given) == {"rows": {"type": "array", "items": {}}}


def test_what_is_known_in_a_run_alone_is_not_told_before() -> None:
    assert shaped({"shape": "${input.shape}"}, ROW) == {}


@pytest.mark.parametrize(
    ("shape", "key", "path"),
    [
        ("keyed", None, "/key"),
        ("objects", "id", "/key"),
        ("keyed", "no", "/key"),
        ("column", None, "/shape"),
    ],
)
def test_a_shape_that_the_columns_do_not_fit(shape: str, key: str | None, path: str) -> None:
    with pytest.raises(ToolError) as raised:
        shaping(shape, key, ["id", "v"])
    assert raised.value.failure.details == {"path": path}


@pytest.mark.parametrize("values", [(1, 1), (1, "1"), (None,), (True,), (1.5,)])
def test_a_key_is_a_text_or_a_whole_number_that_stands_once(values: tuple[Any, ...]) -> None:
    with pytest.raises(ToolError):
        shaping("keyed", "id", ["id"])([{"id": value} for value in values])


def test_more_rows_than_there_may_be() -> None:
    check_count(3, 3, "x.stream")
    with pytest.raises(ToolError, match=r"more than 3 rows.*x\.stream"):
        check_count(4, 3, "x.stream")
