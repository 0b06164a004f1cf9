"""A corpus of injections through every text that a tool takes: data it stays, or it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.connectors.databases.mysql import connector
from drawloom.errors import FailureKind
from drawloom.sdk import Context, ToolError, name_fault
from drawloom.sdk.contract import read_checked

CORPUS = [
    "'; DROP TABLE victim; -- ",
    "\\'; DROP TABLE victim; -- ",
    "\\\\'; DROP TABLE victim; -- ",
    "`; DROP TABLE victim; -- ",
    "``; DROP TABLE victim",
    '"; DROP TABLE victim; #',
    "' OR '1'='1",
    "1 OR 1=1",
    "x' UNION SELECT user FROM mysql.user -- ",
    "' /*! OR 1=1 */ -- ",
    "\u00bf'; DROP TABLE victim; -- ",
    "\u8a5e\u2019\u02bc' OR 1=1 -- ",
    "a\0'; DROP TABLE victim; -- ",
    "${7*7} #{7*7} %s %(a)s ? :a @a",
    "victim` SET secret = 'x' WHERE `id",
    "(SELECT secret FROM victim)",
    "victim; SHUTDOWN",
]
REFUSED = (FailureKind.INVALID, FailureKind.MISSING, FailureKind.DENIED)


async def refused(db: Any, tool: str, **given: Any) -> None:
    assert (await db.failure(tool, **given)).kind in REFUSED, (tool, given)


@pytest.fixture
async def victim(db):
    await db.run(
        "CREATE TABLE victim (id int PRIMARY KEY, secret varchar(200))",
        "INSERT INTO victim VALUES (1, 'kept')",
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v varchar(200))",
        "CREATE PROCEDURE echo(IN a varchar(200), OUT b varchar(200)) SET b = a",
    )
    yield db
    assert await db.rows("SELECT * FROM victim") == [{"id": 1, "secret": "kept"}]


@pytest.mark.slow
async def test_values_stay_data(victim):
    for text in CORPUS:
        assert await victim.value("SELECT ? AS v", text) == text
        assert await victim.value("SELECT COUNT(*) FROM victim WHERE secret = ?", text) == 0
        assert await victim.value("SELECT COUNT(*) FROM victim WHERE secret IN (?)", [text]) == 0
        assert await victim.value("SELECT ? AS v", {text: text}) is not None
        await victim("insert", table="t", rows=[{"v": text}])
        await victim("execute", sql="INSERT INTO t (v) VALUES (?)", args=[text])
        await victim("execute_many", sql="INSERT INTO t (v) VALUES (?)", args=[[text]])
        where = [{"column": "v", "op": "eq", "value": text}]
        assert (await victim("select", table="t", where=where))["count"] == 3
        assert (await victim("update", table="t", set={"v": text}, where=where))["changes"] == 3
        like = [{"column": "secret", "op": "like", "value": text}]
        assert (await victim("select", table="victim", where=like))["count"] == 0
        assert (await victim("delete", table="t", where=where))["changes"] == 3
        done = await victim("call", routine="echo", args={"a": text})
        assert done["out"]["b"] == text


@pytest.mark.slow
async def test_names_are_known_or_refused(victim):
    is_one = [{"column": "id", "op": "eq", "value": 1}]
    for text in CORPUS:
        bad = [{"column": text, "op": "eq", "value": 1}]
        await refused(victim, "select", table=text)
        await refused(victim, "select", table="victim", columns=[text])
        await refused(victim, "select", table="victim", order_by=[{"column": text}])
        await refused(victim, "select", table="victim", where=bad)
        await refused(victim, "insert", table=text, rows=[{"v": 1}])
        await refused(victim, "insert", table="victim", rows=[{text: 1}])
        await refused(victim, "upsert", table="victim", rows=[{"id": 1}], key=[text])
        await refused(victim, "update", table="victim", set={text: 1}, where=is_one)
        await refused(victim, "delete", table="victim", where=bad)
        await refused(victim, "call", routine=text)
        await refused(victim, "call", routine="echo", args={text: 1})
        await refused(victim, "tables", table=text)
        assert (await victim("tables", schema=text))["tables"] == []
        assert (await victim("procedures", schema=text))["procedures"] == []
        await refused(victim, "query", sql="SELECT 1 AS a", shape="keyed", key=text)
        with pytest.raises(ToolError) as raised:
            await read_checked(
                connector.tools["mysql.stream"],
                victim.client,
                batch=1,
                sql="SELECT 1 AS a",
                key=text,
            )
        assert name_fault(connector.faults, raised.value).kind is FailureKind.INVALID


async def test_keys_and_cursors_stay_data(victim):
    tool = connector.tools["mysql.stream"]
    insert = connector.tools["mysql.insert"].function
    for text in CORPUS:
        rows = await read_checked(
            tool,
            victim.client,
            batch=5,
            after=[text],
            sql="SELECT secret FROM victim",
            key="secret",
        )
        assert rows in ([], [[{"secret": "kept"}]])
        await insert(victim.client, context=Context(key=text), table="t", rows=[{"v": "x"}])
    assert await victim.value("SELECT COUNT(*) FROM drawloom_effects") == len(CORPUS)
