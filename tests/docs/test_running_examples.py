"""The chains of examples/ run, and give what they say."""

from __future__ import annotations

import csv
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # each is a real process

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

# What `make run` uses to find the data.
data_folder = runpy.run_path(str(ROOT / "tools/example_data.py"))["data_folder"]

OUTPUTS: dict[str, Any] = {
    "approve": {"woven": "nothing", "late": True},
    "balance": {"weavers": ["grace", "joan"]},
    "circuit-breaker": {"asked": 6, "spared": 14},
    "batches": {"pairs": ["heddle and shuttle", "warp and weft", "reed"]},
    "book-trip": {"booked": True},
    "cache": {"price": 30},
    "code-step": {"cloth": ["##.", "##.", "##."]},
    "compensate": {
        "said": "book-trip: no_car: there is no car; undone: hotel, flight",
    },
    "double": {"twice": 42},
    "enrich": {"prices": [30, 12, 30, None], "missing": 1},
    "on-failure": {"works": True},
    "one-at-a-time": {"said": "Good morning, ada"},
    "repeat": {"reached": 128},
    "report-failure": {"said": "none (run none): nothing failed"},
    "stream": {"batches": 3, "metres": 84},
    "sub-chain": {"doubled": [2, 4, 6]},
    "wait": {"said": "rested"},
    "whole-stream": {"orders": 21},
    "aggregate": {
        "regions": [
            {"region": "north", "total": 150.5, "sales": 2},
            {"region": "south", "total": 80, "sales": 1},
        ]
    },
    "cancel": {"said": "nobody stopped it"},
    "error-route": {"plan": "order elsewhere, because the shop is closed"},
    "for-each": {"words": ["HEDDLE", "SHUTTLE"]},
    "isolated": {"threads": {"warp": 3, "weft": 2}},
    "join-any": {"decision": "ask somebody about 120"},
    "jsonpath": {"cheap": ["A1", "C3"]},
    "parallel-branches": {"said": "both slept, at the same time"},
    "retry": {"said": "gave up: not today"},
    "route": {"size": "large", "what": "ask somebody"},
}
INPUTS = {
    "cancel": ["--input", "seconds=0"],
    "book-trip": ["--input", "car=true"],
    "approve": ["--wait"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the examples, with the data that `make run` puts there."""
    ignored = shutil.ignore_patterns(".drawloom", "data")
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=ignored)
    (tmp_path / "examples/seattle/data").mkdir()
    shutil.copy(data_folder() / "seattle-weather.csv", tmp_path / "examples/seattle/data")
    return tmp_path / "examples"


def run(chain: Path, *options: str) -> dict[str, Any]:
    """Run a chain as a user would; what `--json` prints."""
    done = subprocess.run(
        [Path(sys.executable).with_name("drawloom"), "run", chain, "--json", *options],
        cwd=chain.parent,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_small_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == OUTPUTS.keys()


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_small_example_gives_what_it_says(
    folder: Path, name: str, request: pytest.FixtureRequest
) -> None:
    if name == "code-step":
        request.getfixturevalue("bubblewrap")
    result = run(folder / f"{name}.yaml", *INPUTS.get(name, ()))
    assert result["status"] == "succeeded"
    assert result["output"] == OUTPUTS[name]


def rain() -> list[tuple[str, float]]:
    """Date and rain of each day, read without Drawloom."""
    with (data_folder() / "seattle-weather.csv").open(newline="") as file:
        return [(row["date"], float(row["precipitation"])) for row in csv.DictReader(file)]


def rainy_months(days: list[tuple[str, float]], share: float) -> int:
    """How many of the twelve months are rainy."""
    months: dict[str, list[bool]] = {}
    for date, mm in days:
        months.setdefault(date[5:7], []).append(mm > 0)
    return sum(sum(wet) / len(wet) >= share for wet in months.values())


def test_the_main_example_answers_rightly(folder: Path) -> None:
    days = rain()
    assert rainy_months(days, 0.5) == 5
    result = run(folder / "seattle/chain.yaml")
    assert result["status"] == "succeeded"
    output = result["output"]
    assert output["verdict"] == "Not all year: only Jan, Feb, Mar, Nov, Dec are rainy."
    wettest = max(days, key=lambda day: day[1])
    assert output["wettest_day"] == {"date": wettest[0], "mm": wettest[1]}
    spell = output["longest_dry_spell"]
    dry = [mm for date, mm in days if spell["first"] <= date <= spell["last"]]
    assert len(dry) == spell["days"] == 48
    assert not any(dry)


def test_the_main_example_takes_every_kind_of_turn(folder: Path) -> None:
    steps = run(folder / "seattle/chain.yaml")["steps"]
    ended = {name: step["status"] for name, step in steps.items()}
    assert (ended["deserved"], ended["undeserved"]) == ("skipped", "succeeded")
    assert (ended["kept"], ended["first_time"]) == ("failed", "succeeded")
    assert steps["wettest"]["items_done"] == steps["wettest"]["items_total"] == 12


def test_the_main_example_keeps_the_last_report(folder: Path) -> None:
    chain = folder / "seattle/chain.yaml"
    first = run(chain)
    report = folder / "seattle" / first["output"]["report"]
    text = report.read_text()
    assert "Jan  53 % #############" in text
    assert "48 days" in text
    second = run(chain, "--input", "rainy_share=0.4")
    assert second["output"]["verdict"].startswith("Yes")
    assert second["steps"]["first_time"]["status"] == "skipped"
    assert report.with_name("report-before.md").read_text() == text
    assert report.read_text() != text


def test_a_wrong_row_stops_the_main_example_before_it_writes(folder: Path) -> None:
    data = folder / "seattle/data/seattle-weather.csv"
    data.write_text(data.read_text().replace("2012/01/03,0.8,", "2012/01/03,-0.8,"))
    done = subprocess.run(
        [Path(sys.executable).with_name("drawloom"), "run", "chain.yaml"],
        cwd=folder / "seattle",
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "/2/precipitation" in done.stdout + done.stderr
    assert not (folder / "seattle/data/weather.sqlite").exists()
    assert not (folder / "seattle/data/report.md").exists()


def test_the_tests_of_the_examples_pass(folder: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("drawloom"), "test", ".", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tested = json.loads(done.stdout)
    assert tested["passed"] >= 11
    assert {"seattle-weather", "approve", "sub-chain"} <= {s["chain"] for s in tested["suites"]}
