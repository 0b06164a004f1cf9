"""The example and the README's chains pass the check, and the example runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drawloom.chains import load
from drawloom.chains.check import check
from drawloom.runtime.catalogue import Catalogue

FOLDER = Path(__file__).parents[1]
EXAMPLE = (FOLDER / "examples/by-country.yaml").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", (FOLDER / "README.md").read_text("utf-8"), re.DOTALL)

# pydantic warns that a parameter is called like an attribute of its models.


@pytest.mark.parametrize("text", [EXAMPLE, *BLOCKS], ids=range(1 + len(BLOCKS)))
def test_the_check_finds_nothing(text: str) -> None:
    assert list(check(load(text), Catalogue(code_steps=True))) == []


def test_the_example_gives_what_it_promises() -> None:
    import drawloom

    assert drawloom.run(load(EXAMPLE)).output == {
        "countries": [
            {"country": "SE", "orders": 2, "total": 140.0},
            {"country": "NO", "orders": 1, "total": 80},
        ],
        "day": "busy",
    }
