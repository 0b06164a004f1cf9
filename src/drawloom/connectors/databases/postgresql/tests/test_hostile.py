"""Texts that would be SQL, in every text of every tool: data, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.errors import FailureKind

TEXTS = [
    "'; DROP TABLE victims; --",
    '"; DROP TABLE victims; --',
    "' OR '1'='1",
    "1; DROP TABLE victims",
    "$1",
    "${steps.x}",
    "%s %(a)s {0} :a ?",
    "\\'; DROP TABLE victims; --",
    "$$; DROP TABLE victims; $$",
    "/* */ UNION SELECT null --",
    "victims\" (a) VALUES ('x'); --",
    "a\nb\r\tc\u2028\u202e",
    "é☃😀" * 40,
    "NULL",
    "DEFAULT",
    "pg_sleep(10)",
]
REFUSED = {FailureKind.INVALID, FailureKind.MISSING}


@pytest.fixture
async def victims(db: Any) -> Any:
    await db("execute", sql="CREATE TABLE victims (id int PRIMARY KEY, a text)")
    await db("insert", table="victims", rows=[{"id": 1, "a": "x"}])
    yield db
    assert await db.rows("SELECT * FROM victims WHERE id = 1") == [{"id": 1, "a": "x"}]


@pytest.mark.parametrize("text", TEXTS)
async def test_values_are_data(victims, text):
    where = {"column": "a", "op": "eq", "value": text}
    for tool, given in (
        ("insert", {"rows": [{"id": 2, "a": text}]}),
        ("upsert", {"rows": [{"id": 2, "a": text}], "key": ["id"]}),
        ("update", {"values": {"a": text}, "where": where}),
    ):
        done = await victims(tool, table="victims", returning=["a"], **given)
        assert done["rows"] == [{"a": text}]
    for op, value in (("in", [text]), ("between", [text, text])):
        found = await victims("select", table="victims", where={**where, "op": op, "value": value})
        assert [row["a"] for row in found["rows"]] == [text]
    assert await victims.value("SELECT $1::text", text) == text
    deleted = await victims("delete", table="victims", where=where)
    assert deleted["changes"] == 1


@pytest.mark.parametrize("text", TEXTS)
async def test_names_are_refused(victims, text):
    for tool, given in (
        ("select", {"table": text}),
        ("select", {"table": "victims", "schema": text}),
        ("select", {"table": "victims", "columns": [text]}),
        ("select", {"table": "victims", "order": [{"column": text}]}),
        ("select", {"table": "victims", "where": {"column": text, "op": "is_null"}}),
        ("select", {"table": "victims", "shape": "keyed", "key": text}),
        ("insert", {"table": "victims", "rows": [{text: 1}]}),
        ("insert", {"table": "victims", "rows": [{"id": 3}], "returning": [text]}),
        ("upsert", {"table": "victims", "rows": [{"id": 3}], "key": [text]}),
        ("update", {"table": "victims", "values": {text: 1}, "all": True}),
        ("delete", {"table": text, "all": True}),
        ("delete", {"table": "victims", "all": True, "returning": [text]}),
        ("transaction", {"operations": [{"do": "delete", "table": text, "all": True}]}),
    ):
        failure = await victims.failure(tool, **given)
        assert failure.kind in REFUSED, (tool, given, failure)
    for tool in ("tables", "columns", "keys", "indexes", "enums"):
        assert list((await victims(tool, schema=text)).values()) == [[]]


async def test_a_text_with_nul_is_refused(victims):
    for tool, given in (
        ("select", {"table": "a\0b"}),
        ("select", {"table": "victims", "where": {"column": "a", "op": "eq", "value": "\0"}}),
        ("insert", {"table": "victims", "rows": [{"id": 2, "a": "\0"}]}),
        ("notify", {"channel": "a\0"}),
    ):
        assert (await victims.failure(tool, **given)).kind is FailureKind.INVALID, (tool, given)
