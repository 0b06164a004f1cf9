"""COPY into a table: exact, all or nothing, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from drawloom.connectors.databases.postgresql import connector, copying
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import Context, Row, Stream, name_fault

COPY = connector.tools["postgresql.copy_in"].function


async def copy(db: Any, rows: Any, **given: Any) -> Any:
    stream = rows if isinstance(rows, Stream) else Stream.of(rows)
    return await COPY(db.client, rows=stream, **{"table": "t", "context": Context(), **given})


async def failing(db: Any, rows: Any, **given: Any) -> Failure:
    with pytest.raises(Exception) as raised:
        await copy(db, rows, **given)
    return name_fault(connector.faults, raised.value)


EXACT = {
    "a": "9007199254740993",
    "b": "12345678901234567890.10",
    "c": "2026-01-31T10:20:30.000001+00:00",
    "d": "P1M2DT3.5S",
    "e": "AP8=",
    "f": {"x": [1, None, "y"]},
    "g": ["1.10", None],
    "h": {"lower": 1, "upper": 5, "lower_inc": True, "upper_inc": False},
    "i": {"n": 1, "m": None},
    "j": "happy",
    "k": "é☃\\\t\n",
    "l": None,
    "m": "2026-01-31",
}


async def test_every_kind_of_value_comes_back_as_it_went_in(db):
    await db("execute", sql="CREATE TYPE mood AS ENUM ('sad', 'happy')")
    await db("execute", sql="CREATE TYPE pair AS (n int, m text)")
    await db("execute", sql="CREATE DOMAIN day AS date")
    await db(
        "execute",
        sql="CREATE TABLE t (a int8, b numeric, c timestamptz, d interval, e bytea, f jsonb,"
        " g numeric[], h int4range, i pair, j mood, k text, l int, m day)",
    )
    assert await copy(db, [EXACT, EXACT]) == {"count": 2}
    assert await db.rows("SELECT * FROM t") == [EXACT, EXACT]


@pytest.fixture
async def numbers(db: Any) -> Any:
    await db("execute", sql="CREATE TABLE t (id int PRIMARY KEY, note text DEFAULT 'none')")
    return db


def numbered(count: int, chunk: int = 1_000) -> Stream[Row]:
    async def chunks() -> AsyncIterator[list[Row]]:
        for at in range(0, count, chunk):
            yield [{"id": n} for n in range(at, min(at + chunk, count))]

    return Stream(chunks())


@pytest.mark.parametrize("chunk", [7_000, 25_000])
async def test_more_rows_than_one_portion(numbers, chunk):
    assert await copy(numbers, numbered(25_000, chunk)) == {"count": 25_000}
    sql = "SELECT count(*) AS n, max(id) AS id, min(note) AS note FROM t"
    assert await numbers.rows(sql) == [{"n": 25_000, "id": 24_999, "note": "none"}]


async def test_it_is_done_once(numbers):
    context = Context(key="run/step")
    first = await copy(numbers, numbered(10), context=context)
    assert await copy(numbers, numbered(10), context=context) == first
    assert await numbers.value("SELECT count(*) FROM t") == 10


async def test_a_stream_that_breaks_leaves_nothing(numbers):
    async def breaking() -> AsyncIterator[list[Row]]:
        yield [{"id": n} for n in range(20_000)]
        raise ToolError(Failure(FailureKind.TRANSIENT, "the file is gone"))

    failure = await failing(numbers, Stream(breaking()), context=Context(key="k"))
    assert (failure.kind, failure.message) == (FailureKind.TRANSIENT, "the file is gone")
    assert await numbers.value("SELECT count(*) FROM t") == 0
    assert (await copy(numbers, numbered(3), context=Context(key="k"))) == {"count": 3}


@pytest.mark.parametrize(
    ("last", "given", "kind", "message"),
    [
        (
            {"id": "x"},
            {},
            FailureKind.INVALID,
            "rows[12000]: column id: 'x' (expected a whole number",
        ),
        ({"id": 5}, {}, FailureKind.CONFLICT, "duplicate key"),
        ({"id": -1, "noted": "x"}, {}, FailureKind.INVALID, "rows[12000] has 'noted'"),
        ({}, {}, FailureKind.INVALID, "rows[12000] has no 'id'"),
        ({}, {"missing": "null"}, FailureKind.INVALID, "null value"),
        ({"id": -1}, {"columns": ["id", "nope"]}, FailureKind.INVALID, "no column 'nope'"),
        ({"id": -1}, {"table": "tt"}, FailureKind.MISSING, "there is no table 'tt'"),
    ],
)
@pytest.mark.parametrize("limit", [("_PORTION", 5_000), ("_BYTES", 20_000)])
async def test_one_bad_row_undoes_all(numbers, last, given, kind, message, limit, monkeypatch):
    monkeypatch.setattr(copying, *limit)  # it stands in a later portion than the first
    rows = [*({"id": n} for n in range(12_000)), last]
    failure = await failing(numbers, rows, **given)
    assert failure.kind is kind
    assert message in failure.message
    assert await numbers.value("SELECT count(*) FROM t") == 0


async def test_nothing_to_copy(numbers):
    assert await copy(numbers, []) == {"count": 0}


async def test_a_type_that_copy_cannot_carry_is_refused(db):
    await db("execute", sql="CREATE TABLE t (p point)")
    failure = await failing(db, [{"p": "(1,2)"}])
    assert failure.kind is FailureKind.INVALID
    assert "point" in failure.message
