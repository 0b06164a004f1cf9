"""`drawloom impact`, over the chains of a project."""

from __future__ import annotations

import json

import pytest

from .conftest import Bench


def test_the_chains_that_break_are_named(bench: Bench) -> None:
    done = bench.here("impact", "--tool", "core.transform", "--rename-output", "value=result")
    assert done.code == 1
    assert "double.yaml:6:" in done.out
    assert "breaks double.each" in done.out
    assert done.out.splitlines()[-1].endswith("in 4 chains")


def test_the_same_as_data(bench: Bench) -> None:
    done = bench.here(
        "impact", "paying.yaml", "--tool", "my.pay", "--rename-input", "amount=sum", "--json"
    )
    assert (done.code, done.json["chains"], done.json["breaks"]) == (1, 1, 2)
    assert {one["step"] for one in done.json["impacts"]} == {"pay"}
    assert {one["code"] for one in done.json["impacts"]} == {"unknown-input", "missing-input"}


def test_new_schemas_from_a_file(bench: Bench) -> None:
    shown = bench.here("tools", "show", "my.pay", "--json").json
    (bench.folder / "new.json").write_text(json.dumps(shown))
    done = bench.here("impact", "--tool", "my.pay", "--schema", "new.json")
    assert (done.code, done.out) == (0, "nothing breaks in 4 chains\n")
    shown["input"]["required"].append("currency")
    shown["input"]["properties"]["currency"] = {"type": "string"}
    (bench.folder / "new.json").write_text(json.dumps(shown))
    done = bench.here("impact", "--tool", "my.pay", "--schema", "new.json")
    assert done.code == 1
    assert "breaks paying.pay: my.pay needs 'currency'" in done.out


def test_a_column(bench: Bench) -> None:
    (bench.folder / "shop.yaml").write_text(
        "chain: shop\nconnections: {db: sqlite}\nsteps:\n"
        '  got: {use: sqlite.query, on: db, with: {sql: "select * from orders"}}\n'
        "output: '${steps.got.rows}'\n"
    )
    done = bench.here("impact", "--column", "orders.total")
    assert (done.code, "may shop.got" in done.out) == (0, True)
    assert bench.here("impact", "--column", "users.total").out == "nothing breaks in 5 chains\n"


def test_all_tools_against_those_that_were_saved(bench: Bench) -> None:
    written = bench.here("tools", "schemas").out
    (bench.folder / "before.json").write_text(written)
    done = bench.here("impact", "--against", "before.json")
    assert (done.code, done.out) == (0, "nothing breaks in 4 chains\n")

    text = (bench.folder / "tools.py").read_text()
    text = text.replace("async def pay(amount: int)", "async def pay(sum: int)")
    text = text.replace("{amount}", "{sum}").replace('{"paid": amount}', '{"paid": sum}')
    text = text.replace('@tool(effect="idempotent")', '@tool(effect="once")')
    text = text.replace("async def gate(", "async def door(")
    (bench.folder / "tools.py").write_text(text)
    done = bench.here("impact", "--against", "before.json", "--json")
    assert done.code == 1
    assert done.json["changes"] == [
        {"tool": "my.gate", "what": ["gone"]},
        {"tool": "my.mark", "what": ["effect idempotent -> once"]},
        {"tool": "my.pay", "what": ["input"]},
    ]
    assert {(one["chain"], one["step"], one["certainty"]) for one in done.json["impacts"]} == {
        ("paying", "pay", "breaks"),
        ("waiting", "held", "breaks"),
        ("waiting", "after", "may"),
    }
    done = bench.here("impact", "double.yaml", "--against", "before.json")
    assert (done.code, done.out.splitlines()[0]) == (0, "my.gate: gone")


def test_all_tools_against_those_of_another_folder(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Another version of the project stands beside it, as `git worktree` puts it."""
    other = tmp_path_factory.mktemp("other")
    text = (bench.folder / "tools.py").read_text()
    (other / "tools.py").write_text(text.replace("amount", "sum"))
    done = bench.here("impact", "paying.yaml", "--against", other)
    assert (done.code, "drawloom.toml in it" in done.err) == (2, True)
    (other / "drawloom.toml").write_text('tools = ["tools.py"]\n')
    (bench.folder / "paying.yaml").write_text(
        (bench.folder / "paying.yaml").read_text().replace('{amount: "$', '{sum: "$')
    )
    done = bench.here("impact", "paying.yaml", "--against", other)
    assert (done.code, "breaks paying.pay: my.pay needs 'amount'" in done.out) == (1, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "say what changes"),
        (["--tool", "my.pay"], "say what changes"),
        (["--drop-output", "paid"], "say what changes"),
        (["--column", "total"], "TABLE.COLUMN"),
        (["--tool", "my.pey", "--drop-input", "amount"], "did you mean 'my.pay'"),
        (["--tool", "my.pay", "--drop-input", "amuont"], "did you mean 'amount'"),
        (["--tool", "my.pay", "--rename-input", "amount"], "OLD=NEW"),
        (["--tool", "my.pay", "--schema", "none.json"], "there is no file"),
        (["none.yaml", "--column", "a.b"], "there is no file"),
        (["--against", "none.json"], "git worktree add"),
        (["--against", "double.yaml"], "drawloom tools schemas"),
        (["--against", "x.json", "--tool", "my.pay"], "leave --tool out"),
    ],
)
def test_a_change_that_makes_no_sense(bench: Bench, words: list[str], says: str) -> None:
    done = bench.here("impact", *words)
    assert (done.code, says in done.err) == (2, True), done.err
