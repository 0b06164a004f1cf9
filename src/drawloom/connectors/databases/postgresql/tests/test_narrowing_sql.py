"""What the static check makes of SQL that the server has described."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drawloom.project import Project
from drawloom.project.described import read_described, statements_of

TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE SCHEMA shop;
CREATE TYPE shop.size AS ENUM ('s', 'l');
CREATE DOMAIN share AS numeric CHECK (VALUE < 1);
CREATE TABLE t (id int8 PRIMARY KEY, n int, total numeric, at timestamptz, how mood, part share,
    size shop.size, tags text[], j jsonb, ok bool, f float8)
"""
CHAIN = """
chain: c
connections: {db: postgresql}
steps:
  read: {use: postgresql.TOOL, on: db, with: {sql: "SQL", WITH}}
  wait: {use: core.sleep, FOR with: {seconds: "${READ}"}}
"""
ALL = "SELECT * FROM t"


@pytest.fixture
async def checked(db: Any, postgresql_server: Any, tmp_path: Path) -> Any:
    connection = await postgresql_server.connect(db.client.settings.database)
    await connection.execute(TABLES)
    await connection.close()
    project = Project(tmp_path)

    async def check(
        read: str, sql: str = ALL, tool: str = "query", with_: str = "", each: str = ""
    ) -> Any:
        text = CHAIN.replace("TOOL", tool).replace("SQL", sql).replace("READ", read)
        text = text.replace("FOR", f'for_each: "{each}",' if each else "")
        path = tmp_path / "chain.yaml"
        path.write_text(text.replace(", WITH", f", {with_}" if with_ else ""))
        asked = statements_of([project.load_chain(path)], "postgresql", project.catalogue)
        assert asked == [sql]
        saved = tmp_path / "catalogue.json"
        saved.write_text(json.dumps(await db("catalogue", statements=asked)))
        described = read_described([str(saved)], project.catalogue)
        found = project.findings_in(path, described)
        return [(one.code, one.pointer) for one in found if one.severity == "error"]

    return check


UNKNOWN = [("unknown-output-field", "/steps/wait/with/seconds")]
MISFIT = [("does-not-fit", "/steps/wait/with/seconds")]


@pytest.mark.parametrize(
    ("read", "codes"),
    [
        ("steps.read.rows[0].n", []),
        ("steps.read.rows[0].id", []),  # beyond 2^53-1 a text of digits, which is converted
        ("steps.read.rows[0].n ?? 1", []),
        ("steps.read.rows[0].n = null ? 1 : 2", []),
        ("steps.read.rows[0].ids", UNKNOWN),
        ("steps.read.rows[0].total", MISFIT),
        ("steps.read.rows[0].part", MISFIT),
        ("steps.read.rows[0].at", MISFIT),
        ("steps.read.rows[0].how", MISFIT),
        ("steps.read.rows[0].size", MISFIT),
        ("steps.read.rows[0].tags", MISFIT),
        ("steps.read.rows[0].ok", MISFIT),
        ("steps.read.rows[0].j", []),
        ("steps.read.rows[0].j.x", []),
    ],
)
async def test_the_rows_of_a_query(checked, read, codes):
    assert await checked(read) == codes


@pytest.mark.parametrize(
    ("read", "given", "codes"),
    [
        ("steps.read.row.n", {"tool": "query_one"}, []),
        ("steps.read.row.m", {"tool": "query_one"}, UNKNOWN),
        ("steps.read.row.n", {"tool": "query_one", "sql": "SELECT count(*) AS n FROM t"}, []),
        (
            "steps.read.rows[0].n",
            {"tool": "execute", "sql": "UPDATE t SET n = 1 RETURNING n"},
            [],
        ),
        ("steps.read.rows[0].n", {"tool": "execute", "sql": "UPDATE t SET n = 1"}, UNKNOWN),
        ("steps.read.rows[0]", {"sql": "SELECT n FROM t", "with_": "shape: column"}, []),
        ("steps.read.rows[0]", {"sql": "SELECT ok FROM t", "with_": "shape: column"}, MISFIT),
        ("steps.read.rows.x.n", {"with_": "shape: keyed, key: id"}, []),
        ("steps.read.rows.x.m", {"with_": "shape: keyed, key: id"}, UNKNOWN),
        ("item.n", {"tool": "stream", "with_": "key: id", "each": "${steps.read}"}, []),
        ("item.m", {"tool": "stream", "with_": "key: id", "each": "${steps.read}"}, UNKNOWN),
        ("item.ok", {"tool": "stream", "with_": "key: id", "each": "${steps.read}"}, MISFIT),
    ],
)
async def test_each_tool_and_shape(checked, read, given, codes):
    found = await checked(read, **given)
    assert [code.replace("unknown-property", "unknown-output-field") for code, _ in found] == [
        code for code, _ in codes
    ]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"sql": "SELECT nope FROM t"}, "sql"),
        ({"sql": "SELECT 1 FROM nowhere"}, "sql"),
        ({"sql": "SELEC 1"}, "sql"),
        ({"sql": "SELECT n, n FROM t"}, "sql"),
        ({"sql": "SELECT $1::int AS n"}, "sql"),
        ({"sql": "SELECT $1::int AS n", "with_": "args: [1, 2]"}, "args"),
        ({"with_": "shape: column"}, "shape"),
        ({"with_": "shape: keyed, key: nope"}, "key"),
        ({"tool": "stream", "with_": "key: nope"}, "key"),
        ({"tool": "stream", "with_": "key: [id, nope]"}, "key/1"),
        ({"tool": "execute", "sql": "DELETE FROM t WHERE nope"}, "sql"),
        (
            {"tool": "execute_many", "sql": "DELETE FROM t WHERE m = $1", "with_": "args: []"},
            "sql",
        ),
        ({"tool": "copy_to_file", "sql": "TABLE nope", "with_": "path: x"}, "sql"),
        ({"tool": "copy_to_file", "sql": "SELECT $1::int", "with_": "path: x"}, "sql"),
    ],
)
async def test_what_the_server_refuses_is_a_finding_at_its_place(checked, given, place):
    assert ("not-in-catalogue", f"/steps/read/with/{place}") in await checked("1", **given)


async def test_nothing_is_run(db):
    await db("execute", sql="CREATE TABLE t (id int)")
    asked = [
        "INSERT INTO t VALUES (1)",
        "DROP TABLE t",
        "SELECT pg_sleep(60)",
        "SELEC",
        "SELECT 1",
    ]
    told = (await db("catalogue", statements=[*asked, "SELECT 1"]))["statements"]
    assert [one["sql"] for one in told] == asked
    assert [one["failure"] is None for one in told] == [True, True, True, False, True]
    assert await db.value("SELECT count(*) FROM t") == 0


async def test_a_catalogue_without_statements_says_nothing_of_sql(db, tmp_path):
    told = await db("catalogue")
    del told["statements"]
    saved = tmp_path / "catalogue.json"
    saved.write_text(json.dumps(told))
    project = Project(tmp_path)
    chain = tmp_path / "chain.yaml"
    chain.write_text(
        CHAIN.replace("TOOL", "query")
        .replace("SQL", ALL)
        .replace(", WITH", "")
        .replace("FOR", "")
        .replace("READ", "steps.read.rows[0].x")
    )
    found = project.findings_in(chain, read_described([str(saved)], project.catalogue))
    assert [one.code for one in found if one.severity == "error"] == []
