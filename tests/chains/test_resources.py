"""What a step may say of the machine, checked and compiled."""

from __future__ import annotations

import pytest

from drawloom.chains import compile_chain, load
from drawloom.chains.check import check_text
from drawloom.errors import ChainInvalid
from drawloom.policies import DEFAULT_RESOURCES, Resources
from drawloom.runtime import Catalogue
from drawloom.sdk import tool


@tool(isolation="process", effect="pure")
def crunch(n: int) -> int:
    """Crunch."""
    return n


@tool(effect="pure")
def plain(n: int) -> int:
    """Take it as it is."""
    return n


CATALOGUE = Catalogue([crunch, plain])


def text_of(use: str, resources: str) -> str:
    return (
        f"chain: a\nsteps:\n  x: {{use: {use}, with: {{n: 1}}{resources}}}\n"
        'output: {y: "${steps.x}"}\n'
    )


def codes(use: str, resources: str) -> list[str]:
    found = check_text(text_of(use, f", resources: {resources}"), CATALOGUE)
    return [each.code for each in found]


@pytest.mark.parametrize(
    ("resources", "limits"),
    [
        ("", DEFAULT_RESOURCES),
        (", resources: {memory: 256MB, cpu: 10s}", Resources(memory=256_000_000, cpu=10.0)),
        (", resources: {files: 64, processes: 3, disk: 1GiB}",
         Resources(files=64, processes=3, disk=1 << 30)),
    ],
)  # fmt: skip
def test_the_limits_come_into_the_plan(resources: str, limits: Resources) -> None:
    plan = compile_chain(load(text_of("my.crunch", resources)), CATALOGUE.find)
    assert plan.by_name["x"].resources == limits


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ("{memory: 256MB, cpu: 10s, files: 64, processes: 1, disk: 100MB}", []),
        ("{memory: 1kB}", ["out-of-range"]),
        ("{files: 2}", ["out-of-range"]),
        ("{cpu: 0}", ["out-of-range"]),
        ("{memory: 256mb}", ["bad-value"]),
        ("{memroy: 256MB}", ["unknown-field"]),
        ("{processes: 0}", ["out-of-range"]),
    ],
)
def test_what_cannot_be_is_found(resources: str, expected: list[str]) -> None:
    assert codes("my.crunch", resources) == expected


def test_limits_that_nobody_keeps_are_an_error_twice() -> None:
    assert codes("my.plain", "{cpu: 1s}") == ["resources-without-isolation"]
    with pytest.raises(ChainInvalid, match=r"steps\.x\.resources: .*isolation='process'"):
        compile_chain(load(text_of("my.plain", ", resources: {cpu: 1s}")), CATALOGUE.find)


CODE = """\
chain: a
steps:
  x:
    use: core.python
    resources: {cpu: 1s}
    with: {code: "output = {'n': 1}", output: {type: object, properties: {n: {type: integer}}, additionalProperties: false}}
output: {y: "${steps.x.m}"}
"""


def test_a_code_step_is_typed_by_what_it_writes_out() -> None:
    found = check_text(CODE, Catalogue(code_steps=True))
    assert [each.code for each in found] == ["unknown-output-field"]


def test_code_that_is_off_is_an_error_at_check() -> None:
    found = check_text(CODE, Catalogue())
    assert "code-steps-off" in [each.code for each in found]
