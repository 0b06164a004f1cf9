"""A small shop: tools that must not be touched, its chain, and ways to run a test of it."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import TypedDict

from drawloom.chains import Chain, compile_chain, load
from drawloom.runtime import Catalogue
from drawloom.sdk import tool
from drawloom.testing import Outcome, case_of, run_case

touched: list[str] = []


class Order(TypedDict):
    """What a look gives."""

    id: int


class Paid(TypedDict):
    """What a payment gives."""

    paid: int


@tool(effect="read")
async def look(id: int = 0) -> Order:
    """Look at something outside."""
    touched.append("look")
    return {"id": id}


@tool(effect="once")
async def pay(amount: int) -> Paid:
    """Pay."""
    touched.append("pay")
    return {"paid": amount}


@tool(effect="pure")
def twice(n: int) -> int:
    """Twice a number."""
    return n * 2


CATALOGUE = Catalogue([look, pay, twice])
CHAIN = """\
chain: shop
input: {n: {type: integer, default: 1}}
steps:
  late: {use: my.look, with: {id: "${input.n}"}, retry: {attempts: 3, delay: 1m}}
  more: {use: my.twice, with: {n: "${steps.late.id}"}}
  paid:
    use: my.pay
    with: {amount: "${steps.more}"}
    when: steps.more > 2
output: {more: "${steps.more}", paid: "${steps.paid.paid ?? 0}"}
"""
EACH = """\
chain: each
steps:
  look: {use: my.look, for_each: [1, 2, 3], with: {id: "${item}"}, retry: {attempts: 2}}
output: "${steps.look.id}"
"""


def chain(tests: str, text: str = CHAIN) -> Chain:
    return load(f"{text}tests:\n{tests}", file="shop.yaml")


def ran(tests: str, text: str = CHAIN, folder: Path = Path()) -> Outcome:
    """The outcome of the one test."""
    found = chain(tests, text)
    plan = compile_chain(found, CATALOGUE.find)
    return run_case(case_of(found.tests[0], folder), plan, CATALOGUE)


def passes(tests: str, text: str = CHAIN) -> None:
    outcome = ran(tests, text)
    assert outcome.verdict == "passed", outcome.lines
