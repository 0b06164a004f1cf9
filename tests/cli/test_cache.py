"""`drawloom cache`, as the installed command, on the state directory that runs have left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import Bench

TOOLS = '''

@tool(effect="read")
def price(of: str) -> int:
    """Look up a price, and leave a trace."""
    with (HERE / "looked").open("a") as file:
        file.write(f"{of}\\n")
    return len(of)
'''
PRICES = """\
chain: prices
steps:
  silk: {use: my.price, with: {of: silk}, cache: {ttl: 1h, stale: 1h, tags: [cloth, dear]}}
  wool: {use: my.price, with: {of: wool}, cache: {ttl: 1h, tags: [cloth]}}
  tea: {use: my.price, with: {of: tea}, cache: 1h}
  two: {use: core.transform, with: {value: 2}, cache: 1h}
output: "${steps.silk + steps.wool + steps.tea + steps.two.value}"
"""


@pytest.fixture
def shop(bench: Bench) -> Bench:
    with (bench.folder / "tools.py").open("a") as file:
        file.write(TOOLS)
    (bench.folder / "prices.yaml").write_text(PRICES)
    assert bench.here("run", "prices.yaml", "--json").json["output"] == 13
    assert sorted(bench.lines("looked")) == ["silk", "tea", "wool"]
    return bench


def kept(shop: Bench, *words: str) -> list[dict[str, Any]]:
    """What `cache list` says."""
    found: list[dict[str, Any]] = shop.here("cache", "list", "--json", *words).json["answers"]
    return found


def looked_again(shop: Bench) -> list[str]:
    """What is looked up by one more run."""
    before = len(shop.lines("looked"))
    assert shop.here("run", "prices.yaml", "--json").json["output"] == 13
    return sorted(shop.lines("looked")[before:])


@pytest.mark.slow
def test_answers_are_listed_with_what_they_are_kept_by(shop: Bench) -> None:
    told = shop.apart("cache", "list", "--json")
    assert told.code == 0, told.err
    answers = told.json["answers"]
    by_tags = {tuple(sorted(answer["tags"])): answer for answer in answers}
    assert [a["tool"] for a in answers].count("my.price") == 3
    assert {answer["tool"] for answer in answers} == {"my.price", "core.transform"}
    assert len({answer["key"] for answer in answers}) == 4
    silk = by_tags["cloth", "dear"]
    assert silk["bytes"] == len("4")
    fresh, stale = (datetime.fromisoformat(silk[n]) for n in ("fresh_until", "stale_until"))
    assert (stale - fresh, fresh > datetime.now(UTC)) == (timedelta(hours=1), True)
    plain = shop.here("cache", "list")
    assert all(answer["key"] in plain.out for answer in answers)
    assert plain.out.splitlines()[0].split()[:3] == ["KEY", "TOOL", "SIZE"]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--tool", "my.price"], 3),
        (["--tag", "cloth"], 2),
        (["--tag", "cloth", "--tool", "no"], 0),
    ],
)
def test_answers_are_listed_by_tool_and_tag(shop: Bench, words: list[str], count: int) -> None:
    assert len(kept(shop, *words)) == count


@pytest.mark.parametrize(
    ("words", "forgotten", "again"),
    [
        (["--tag", "dear"], 1, ["silk"]),
        (["--tag", "cloth"], 2, ["silk", "wool"]),
        (["--tool", "my.price"], 3, ["silk", "tea", "wool"]),
        (["--tool", "core.transform"], 1, []),
        (["--tool", "my.price", "--tag", "nothing"], 0, []),
        ([], 4, ["silk", "tea", "wool"]),
    ],
)
def test_what_is_forgotten_is_looked_up_again(
    shop: Bench, words: list[str], forgotten: int, again: list[str]
) -> None:
    done = shop.here("cache", "clear", *words)
    plural = "" if forgotten == 1 else "s"
    assert (done.code, done.err) == (0, f"Forgot {forgotten} answer{plural}.\n")
    assert len(kept(shop)) == 4 - forgotten
    assert looked_again(shop) == again
    assert len(kept(shop)) == 4


def test_one_answer_is_forgotten_by_its_key(shop: Bench) -> None:
    key = kept(shop, "--tag", "dear")[0]["key"]
    done = shop.here("cache", "clear", "--key", key)
    assert (done.code, done.err) == (0, "Forgot 1 answer.\n")
    assert key not in {answer["key"] for answer in kept(shop)}
    assert looked_again(shop) == ["silk"]
    assert shop.here("cache", "clear", "--key", "none").err == "Forgot 0 answers.\n"


def test_a_folder_without_answers_says_so_and_stays_without(bench: Bench) -> None:
    done = bench.here("cache", "list")
    assert (done.code, "No answers are kept here" in done.err) == (0, True)
    assert bench.here("cache", "list", "--json").json == {"answers": []}
    assert bench.here("cache", "clear").err == "Forgot 0 answers.\n"
    assert not (bench.folder / ".drawloom").exists()


@pytest.mark.slow
def test_a_process_that_has_the_state_is_asked_to_forget(shop: Bench) -> None:
    """It keeps answers in memory, too, so the file alone is not the whole."""
    (shop.folder / "holding.yaml").write_text(
        PRICES.replace("chain: prices", "chain: holding").replace(
            "output:",
            "  held: {use: my.gate, after: [silk, wool, tea]}\n"
            "  more: {use: my.price, with: {of: silk}, after: [held], cache: 1h}\noutput:",
        )
    )
    process = shop.under_way("held", "holding.yaml")
    assert len(shop.lines("looked")) == 3  # all came from what was kept
    done = shop.apart("cache", "clear", "--tool", "my.price")
    assert (done.code, done.err) == (0, "Forgot 3 answers.\n")
    shop.open_gate()
    assert shop.ended(process).code == 0
    assert shop.lines("looked")[3:] == ["silk"]
    assert len(kept(shop, "--tool", "my.price")) == 1
