"""`drawloom tools` and `drawloom schema`."""

from __future__ import annotations

from typing import Any

SECRETS = """\
tools = ["tools.py"]

[connections.db]
kind = "sqlite"
path = "data.sqlite"

[connections.pg]
kind = "postgresql"
host = "db.example.org"
user = "me"
database = "x"
password = "hunter2"
"""


def test_list_has_the_projects_own_tools_and_finds_words(bench: Any) -> None:
    every = bench.here("tools", "list", "--json").json["tools"]
    names = [tool["tool"] for tool in every]
    assert names == sorted(names)
    assert {"core.transform", "my.gate", "sqlite.query"} <= set(names)
    assert set(every[0]) == {"tool", "effect", "connection", "timeout", "summary"}
    found = bench.here("tools", "list", "CSV").out
    assert "files.read_csv" in found and "core.transform" not in found
    nothing = bench.here("tools", "list", "zzz")
    assert (nothing.code, nothing.out) == (0, "")
    assert "No tool has 'zzz'" in nothing.err


def test_show_has_fields_and_json_has_schemas(bench: Any) -> None:
    shown = bench.here("tools", "show", "my.pay")
    assert "effect: once" in shown.out
    assert "amount" in shown.out and "required" in shown.out
    told = bench.here("tools", "show", "my.pay", "--json").json
    assert told["input"]["required"] == ["amount"]
    assert told["output"]["type"] == "object"
    wrong = bench.here("tools", "show", "core.tranform")
    assert wrong.code == 2
    assert "did you mean core.transform" in wrong.err


def test_call_runs_one_tool_and_keeps_nothing(bench: Any) -> None:
    done = bench.here("tools", "call", "my.mark", "-i", "name=here")
    assert (done.code, done.out) == (0, '"here"\n')
    assert bench.lines("marks") == ["here"]
    assert not (bench.folder / ".drawloom").exists()
    told = bench.here(
        "tools", "call", "core.transform", "--input-json", '{"value": "${x}"}', "--json"
    )
    assert told.json["output"] == {"value": "${x}"}, "data is never an expression"
    failed = bench.here("tools", "call", "core.fail", "-i", "message=no", "--json")
    assert (failed.code, failed.json["failure"]["message"]) == (1, "no")
    wrong = bench.here("tools", "call", "my.pay", "-i", "amount=much")
    assert (wrong.code, "--input amount: 'much' is not an integer" in wrong.err) == (2, True)
    missing = bench.here("tools", "call", "my.pay")
    assert (missing.code, "--input amount=VALUE" in missing.err) == (2, True)
    wide = bench.here("tools", "call", "core.fail", "--input-json", '{"message": ""}')
    assert (wide.code, "/message" in wide.err) == (2, True)


def test_call_uses_a_connection_by_kind_by_name_or_given_on_the_spot(bench: Any) -> None:
    (bench.folder / "drawloom.toml").write_text(
        '[connections.db]\nkind="sqlite"\npath="d.sqlite"\n'
    )
    query = ("tools", "call", "sqlite.query", "-i", "sql=select 1 as one", "--json")
    for words in ((), ("--connection", "db"), ("--bind", "connection=sqlite:path=other.sqlite")):
        assert bench.here(*query, *words).json["output"]["rows"] == [{"one": 1}], words
    wrong = bench.here(*query, "--connection", "dbx")
    assert wrong.code == 2
    assert "--bind connection=db" in wrong.err


def test_a_secret_in_clear_is_refused_and_never_repeated(bench: Any) -> None:
    (bench.folder / "drawloom.toml").write_text(SECRETS)
    (bench.folder / "pg.yaml").write_text(
        "chain: pg\nconnections: {pg: postgresql}\n"
        "steps: {q: {use: postgresql.query, on: pg, with: {sql: select 1}}}\n"
    )
    told = [
        bench.here("run", "pg.yaml"),
        bench.here("run", "pg.yaml", "--bind", "pg=postgresql:host=h,user=u,password=hunter2"),
        bench.here("doctor"),
    ]
    for done in told:
        assert done.code in (1, 2)
        assert "hunter2" not in done.out + done.err
        assert "never the secret itself" in done.out + done.err
    assert not (bench.folder / ".drawloom").exists()


def test_schemas_are_printed(bench: Any) -> None:
    assert bench.here("schema", "chain", "--json").json["title"] == "Drawloom chain"
    assert bench.here("schema", "tool", "my.pay").json["required"] == ["amount"]
    assert bench.here("schema", "tool", "my.pay", "--output").json["type"] == "object"
    assert "path" in bench.here("schema", "connection", "sqlite").json["properties"]
    assert bench.here("schema", "connection", "core").code == 2
    wrong = bench.here("schema", "connection", "postgres")
    assert (wrong.code, "postgresql" in wrong.err) == (2, True)


def test_a_tools_file_that_breaks_is_named_with_its_line(bench: Any) -> None:
    (bench.folder / "tools.py").write_text("x = 1\ny = x / 0\n")
    done = bench.here("tools", "list")
    assert done.code == 2
    assert "tools.py:2: ZeroDivisionError" in done.err
