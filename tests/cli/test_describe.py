"""A catalogue with the SQL of a chain is saved, and the check finds what has become wrong since."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from .conftest import Bench, Done

CHAIN = """\
chain: shop
input: {least: {type: integer, default: 1}}
connections: {db: postgresql, other: http}
steps:
  q: {use: postgresql.query, on: db, with: {sql: "SELECT id, name FROM hats WHERE id > $1", args: ["${input.least}"]}}
  built: {use: postgresql.query, on: db, with: {sql: "SELECT ${input.least} AS nmae"}}
  get: {use: http.get, on: other, with: {path: x}}
  say: {use: core.log, with: {message: "${steps.q.rows[0].name}"}}
"""


@pytest.fixture
def shop(bench: Bench, postgresql: dict[str, Any]) -> Bench:
    settings = "".join(f"{name} = {json.dumps(value)}\n" for name, value in postgresql.items())
    with (bench.folder / "drawloom.toml").open("a") as file:
        file.write(f'\n[connections.db]\nkind = "postgresql"\n{settings}')
    (bench.folder / "shop.yaml").write_text(CHAIN)
    return bench


def execute(server: Any, settings: dict[str, Any], sql: str) -> None:
    async def run() -> None:
        connection = await server.connect(settings["database"])
        await connection.execute(sql)
        await connection.close()

    asyncio.run(run())


def saved(shop: Bench) -> Any:
    done = shop.here("connections", "describe", "db", "shop.yaml")
    assert done.code == 0, done.err
    (shop.folder / "db.json").write_text(done.out)
    return json.loads(done.out)


def checked(shop: Bench, text: str = CHAIN) -> Done:
    (shop.folder / "shop.yaml").write_text(text)
    return shop.here("check", "shop.yaml", "--catalogue", "db=db.json", "--json")


def found(done: Done) -> list[tuple[str, str, str]]:
    every = [one for one in done.json["findings"] if one["severity"] == "error"]
    return [(one["code"], one["pointer"], one["message"]) for one in every]


def test_a_check_knows_the_rows_of_sql(
    shop: Bench, postgresql_server: Any, postgresql: dict[str, Any]
) -> None:
    execute(postgresql_server, postgresql, "CREATE TABLE hats (id int8 PRIMARY KEY, name text)")
    told = saved(shop)
    [statement] = told["statements"]
    assert statement == {
        "sql": "SELECT id, name FROM hats WHERE id > $1",
        "columns": [
            {"name": "id", "base": "bigint", "labels": []},
            {"name": "name", "base": "text", "labels": []},
        ],
        "parameters": ["bigint"],
        "failure": None,
    }
    done = checked(shop)
    assert (done.code, found(done)) == (0, [])
    done = checked(shop, CHAIN.replace("rows[0].name", "rows[0].nmae"))
    assert done.code == 1
    assert found(done) == [
        (
            "unknown-output-field",
            "/steps/say/with/message",
            "steps.q.rows.0 has no field 'nmae'",
        )
    ]
    [hint] = [o["suggestion"] for o in done.json["findings"] if o["severity"] == "error"]
    assert "did you mean 'name'" in hint
    # Of a text that the catalogue does not know nothing is said.
    done = checked(shop, CHAIN.replace("rows[0].name", "rows[0].nmae").replace("id > $1", "id>$1"))
    assert (done.code, found(done)) == (0, [])


def test_a_column_that_was_dropped_is_a_finding_in_the_words_of_the_server(
    shop: Bench, postgresql_server: Any, postgresql: dict[str, Any]
) -> None:
    execute(postgresql_server, postgresql, "CREATE TABLE hats (id int8 PRIMARY KEY, name text)")
    saved(shop)
    execute(postgresql_server, postgresql, "ALTER TABLE hats DROP COLUMN name")
    assert found(checked(shop)) == []  # it was saved before
    saved(shop)
    done = checked(shop)
    assert done.code == 1
    [(code, pointer, message)] = found(done)
    assert (code, pointer) == ("not-in-catalogue", "/steps/q/with/sql")
    assert message == 'the server refuses it: column "name" does not exist'


def test_what_cannot_be_described(shop: Bench) -> None:
    with (shop.folder / "drawloom.toml").open("a") as file:
        file.write(
            '[connections.fs]\nkind = "files"\nfolder = "."\n'
            '[connections.gone]\nkind = "postgresql"\ndatabase = "x"\nuser = "x"\nport = 1\n'
        )
    for words, code, said in (
        (["nowhere"], 2, "there is no connection 'nowhere'"),
        (["fs"], 2, "files has no tool that tells what a connection holds"),
        (["db", "none.yaml"], 2, "none.yaml"),
        (["gone"], 1, "postgresql.catalogue failed"),
    ):
        done = shop.here("connections", "describe", *words)
        assert (done.code, done.out) == (code, ""), words
        assert said in done.err
