"""`drawloom runs to-test`: a stored run becomes a test that passes, without its secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Bench

TOOLS = '''

@tool(effect="once")
def charge(amount: int, token: str) -> dict[str, object]:
    """Charge a card."""
    with (HERE / "charged").open("a") as file:
        file.write(f"{amount}\\n")
    if amount > 90:
        from drawloom.sdk import invalid

        raise invalid("the card was refused")
    return {"id": "c-7", "secret": "hush-hush", "note": f"by {token}", "amount": amount}


@tool(effect="read")
def many(n: int) -> list[dict[str, object]]:
    """Many rows."""
    return [{"id": i, "text": "x" * 50} for i in range(n)]
'''
CHARGING = """\
chain: charging
input: {amounts: {type: array, items: {type: integer}}, token: {type: string}}
steps:
  each:
    use: my.charge
    for_each: "${input.amounts}"
    on_error: continue
    with: {amount: "${item}", token: "${input.token}"}
  said: {use: core.transform, with: {value: "with ${input.token}"}, after: {each: finished}}
output: {said: "${steps.said.value}", n: "${$count(input.amounts)}"}
"""
ROWS = """\
chain: rows
steps:
  rows: {use: my.many, with: {n: 500}}
output: {rows: "${steps.rows}"}
"""


@pytest.fixture
def shop(bench: Bench) -> Bench:
    with (bench.folder / "tools.py").open("a") as file:
        file.write(TOOLS)
    (bench.folder / "charging.yaml").write_text(CHARGING)
    (bench.folder / "rows.yaml").write_text(ROWS)
    return bench


def test_a_run_becomes_a_test_that_passes_and_masks_its_secrets(
    shop: Bench, ran: Callable[..., str]
) -> None:
    run = ran("charging", "-i", "amounts=[5, 6]", "-i", "token=s3cret-token")
    done = shop.here("runs", "to-test", run, "--out", "charging.test.yaml")
    assert done.code == 0, done.err
    assert "/input/token" in done.err
    text = (shop.folder / "charging.test.yaml").read_text()
    assert "s3cret-token" not in text
    assert "hush-hush" not in text
    assert "with ***" in text
    tested = shop.here("test", "charging.test.yaml", "--json")
    assert tested.code == 0, tested.out
    assert sorted(shop.lines("charged")) == ["5", "6"]  # by the run, and never again


def test_a_changed_chain_breaks_the_test(shop: Bench, ran: Callable[..., str]) -> None:
    run = ran("charging", "-i", "amounts=[5]", "-i", "token=tuppence")
    assert shop.here("runs", "to-test", run, "--out", "charging.test.yaml").code == 0
    (shop.folder / "charging.yaml").write_text(CHARGING.replace("with ${", "from ${"))
    done = shop.here("test", "charging.test.yaml")
    assert done.code == 1
    assert "output/said: expected" in done.out


def test_failures_are_kept_by_call(shop: Bench) -> None:
    run = shop.here(
        "run", "charging.yaml", "--json", "-i", "amounts=[5, 99]", "-i", "token=tuppence"
    ).json
    done = shop.here("runs", "to-test", run["run"], "--json")
    assert done.code == 0, done.err
    answers = done.json["test"]["answers"]
    assert answers["each[1]#1"]["fail"]["message"] == "the card was refused"
    assert answers["each[0]#1"]["output"]["amount"] == 5
    assert "said" not in answers  # a tool of core is called for real


def test_a_failed_run_is_a_test_too(shop: Bench) -> None:
    run = shop.here("run", "failing.yaml", "--json").json["run"]
    done = shop.here("runs", "to-test", run)
    assert done.code == 0, done.err
    assert "status: failed" in done.out
    assert "\x1b" not in done.out


def test_large_values_go_beside_the_test(shop: Bench, ran: Callable[..., str]) -> None:
    done = shop.here("runs", "to-test", ran("rows"), "--out", "rows.test.yaml")
    assert done.code == 0, done.err
    assert (shop.folder / "rows.test.yaml").stat().st_size < 1_000
    beside = json.loads((shop.folder / "rows.recorded.json").read_text())
    assert len(beside["answers"]["rows"]["output"]) == 500
    assert shop.here("test", "rows.test.yaml").code == 0


def test_nothing_is_overwritten(shop: Bench, ran: Callable[..., str]) -> None:
    run = ran("rows")
    (shop.folder / "rows.test.yaml").write_text("mine")
    done = shop.here("runs", "to-test", run, "--out", "rows.test.yaml")
    assert (done.code, "there already" in done.err) == (2, True)
    assert (shop.folder / "rows.test.yaml").read_text() == "mine"
    done = shop.here("runs", "to-test", run, "--out", "rows.yaml")
    assert (done.code, "NAME.test.yaml" in done.err) == (2, True)
    assert shop.here("runs", "to-test", "nope").code == 2


def test_a_run_of_a_part_becomes_a_test_of_that_part(shop: Bench) -> None:
    """Pins and `only` are in the test, and what was pinned is not called when it is run."""
    words = ("--pin", 'each=[{"id": "c-1"}]', "--only", "said", "-i", "amounts=[5]")
    token = "tuppence-" + "halfpenny"
    run = shop.here("run", "charging.yaml", "--json", *words, "-i", f"token={token}").json["run"]
    done = shop.here("runs", "to-test", run, "--out", "charging.test.yaml", "--json")
    assert done.code == 0, done.err
    test = done.json["test"]
    assert test["pins"] == {"each": {"output": [{"id": "c-1"}]}}
    assert (test["only"], test["expect"]["output"]) == (["said"], {"said": {"value": "with ***"}})
    tested = shop.here("test", "charging.test.yaml", "--json", "--junit", "report.xml")
    assert tested.code == 0, tested.out
    assert tested.json["suites"][0]["coverage"]["never_ran"] == ["each"]
    assert f'name="as run {run}"' in (shop.folder / "report.xml").read_text()
    assert shop.lines("charged") == []


def test_a_run_from_a_step_on_becomes_a_test(shop: Bench) -> None:
    run = shop.here("run", "charging.yaml", "--json", "-i", "amounts=[5]", "-i", "token=tuppence")
    again = shop.here("runs", "rerun", run.json["run"], "--from", "said", "--json")
    assert again.code == 0, again.err
    done = shop.here("runs", "to-test", again.json["run"], "--json")
    assert done.code == 0, done.err
    assert done.json["test"]["pins"]["each"]["output"][0]["amount"] == 5
    assert "answers" not in done.json["test"]


@pytest.mark.slow
def test_a_resolved_call_is_an_event_of_the_test(shop: Bench) -> None:
    process = shop.under_way("pay", "paying.yaml")
    while not shop.lines("paid"):
        assert process.poll() is None
    process.kill()
    shop.ended(process)
    shop.open_gate()
    assert shop.apart("run", "double.yaml").code == 0
    run = shop.runs()[0]["run"]
    done = shop.here("runs", "resolve", run, "pay#1", "--succeeded", "--output", '{"paid": 5}')
    assert done.code == 0, done.err
    done = shop.here("runs", "to-test", run, "--json")
    assert done.code == 0, done.err
    assert done.json["test"]["events"] == [
        {"resolve": "pay#1", "outcome": "succeeded", "output": {"paid": 5}}
    ]
    assert done.json["test"]["answers"]["pay"]["fail"]["kind"] == "lost"


def test_examples_of_constructs_become_tests(shop: Bench) -> None:
    examples = Path(__file__).parents[2] / "examples"
    for name in ("sub-chain", "double", "approve", "wait", "repeat", "enrich"):
        (shop.folder / f"{name}.yaml").write_text((examples / f"{name}.yaml").read_text())
    for name in ("sub-chain", "approve", "wait", "repeat", "enrich"):
        run = shop.here("run", f"{name}.yaml", "--json", "--wait").json["run"]
        done = shop.here("runs", "to-test", run)
        assert done.code == 0, (name, done.err)
