"""What the check says of sub-chains, waits, approvals, lookups, turns and streams."""

from __future__ import annotations

import pytest

from drawloom.chains import load
from drawloom.chains.check import check_text
from drawloom.runtime import Catalogue

CHAINS = {
    "child": "{chain: child, input: {n: {type: integer}}, steps: {a: {use: core.log, with:"
    " {message: x}}}, output: {said: '${steps.a.message}'}}",
    "loop": "{chain: loop, steps: {a: {use: core.chain, with: {chain: loop}}}}",
    "needy": "{chain: needy, input: {who: {type: string}}, steps: {a: {use: core.log, with:"
    " {message: '${input.who}'}}}}",
}


def found(step: str, more: str = "") -> list[str]:
    text = f"{{chain: c, {more} steps: {{x: {step}}}}}"

    def find(name: str):  # type: ignore[no-untyped-def]
        if name not in CHAINS:
            raise KeyError(f"there is no chain {name!r}")
        return load(CHAINS[name])

    return [f"{f.code}: {f.message}" for f in check_text(text, Catalogue(), find_chain=find)]


@pytest.mark.parametrize(
    ("step", "code", "said"),
    [
        ("{use: core.chain, with: {chain: chidl}}", "unknown-chain", "chidl"),
        ("{use: core.chain, with: {chain: '${run.id}'}}", "unknown-chain", "write the name"),
        ("{use: core.chain, with: {chain: loop}}", "chain-cycle", "loop -> loop"),
        ("{use: core.chain, with: {chain: child}}", "missing-input", "input"),
        ("{use: core.chain, with: {chain: child, input: {n: x}}}", "wrong-literal", "n"),
        ("{use: core.chain, with: {chain: child, input: {m: 1, n: 1}}}", "unknown-input", "m"),
        ("{use: core.wait}", "wrong-wait", "just one"),
        ("{use: core.wait, with: {duration: 1s}, cache: 5m}", "cache-of-effect", "of its own"),
        ("{use: core.wait, with: {duration: 1s, signal: s}}", "wrong-wait", "just one"),
        ("{use: core.wait, with: {duration: 1m1h}}", "wrong-literal", "1m1h"),
        ("{use: core.wait, with: {until: tomorrow}}", "wrong-literal", "tomorrow"),
        ("{use: core.wait, with: {duration: 1s, deadline: 1s}}", "needless-field", "deadline"),
        ("{use: core.wait, with: {signal: s, schema: {type: nix}}}", "wrong-literal", "Schema"),
        ("{use: core.approve, with: {title: t, approvers: [a, a], needed: 2}}", "wrong-approval",
         "only 1"),
        ("{use: core.approve, with: {title: t, form: {f: {type: nix}}}}", "wrong-literal", "Schema"),
        ("{use: core.approve}", "missing-input", "title"),
        ("{use: core.enrich, with: {rows: [], key: id}}", "missing-input", "lookup"),
        ("{use: core.enrich, with: {rows: [], key: id, lookup: {use: core.nix}}}", "unknown-tool",
         "core.nix"),
        ("{use: core.enrich, with: {rows: [], key: id, lookup: {use: core.chain, with: {chain: a}}}}",
         "wrong-lookup", "more than look"),
        (("{use: core.enrich, with: {rows: [], key: id, many: true, lookup: {use: core.log, with:"
         " {message: a}}}}"), "wrong-lookup", "into"),
        (("{use: core.enrich, for_each: [1], with: {rows: [], key: id, lookup: {use: core.log, with:"
         " {message: a}}}}"), "needless-field", "by itself"),
        ("{use: core.log, with: {message: a}, compensate: {use: core.wait, with: {duration: 1s}}}",
         "wrong-undo", "core.wait"),
        ("{use: core.log, with: {message: a}, compensate: {use: core.log, with: {message: a}}}",
         "needless-field", "nothing to undo"),
    ],
)  # fmt: skip
def test_a_step_that_cannot_work_is_found(step: str, code: str, said: str) -> None:
    told = found(step)
    assert any(line.startswith(f"{code}:") and said in line for line in told), told


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ("on_failure: nix,", "unknown-chain", "nix"),
        ("on_failure: c,", "chain-cycle", "c -> c"),
        ("on_failure: needy,", "wrong-chain", "who"),
        ("timeout: 0,", "out-of-range", "no time"),
        ("concurrency: {limit: 1, key: '${steps.x}'},", "unknown-name", "concurrency.key"),
        ("concurrency: {limit: 1, key: '${input.nix}'},", "unknown-property", "nix"),
        ("concurrency: 0,", "out-of-range", "concurrency"),
    ],
)
def test_a_chain_that_cannot_work_is_found(more: str, code: str, said: str) -> None:
    told = found("{use: core.log, with: {message: a}}", more)
    assert any(line.startswith(f"{code}:") and said in line for line in told), told


def test_a_sub_chain_types_what_it_gives() -> None:
    text = """
chain: c
steps:
  a: {use: core.chain, with: {chain: child, input: {n: 1}}}
  b: {use: core.log, with: {message: "${steps.a.sad}"}}
"""
    codes = [f.code for f in check_text(text, Catalogue(), find_chain=lambda n: load(CHAINS[n]))]
    assert codes == ["unknown-output-field"]


STREAM = """
chain: c
connections: {data: files}
steps:
  rows: {use: files.stream_csv, on: data, with: {path: a.csv}}
  each: {use: core.log, for_each: "${steps.rows}", MORE with: {message: "${item.name}"}}
output: OUT
"""


@pytest.mark.parametrize(
    ("more", "out", "codes"),
    [
        ("", "1", []),
        ("batch: 5,", "1", []),
        ("", "'${steps.rows}'", ["stream-misused"]),
        ("", "'${$count(steps.rows)}'", ["stream-misused"]),
        ("when: item.a = 1,", "1", ["stream-misused"]),
        ("compensate: {use: core.log, with: {message: a}},", "1",
         ["stream-misused", "needless-field"]),
    ],
)  # fmt: skip
def test_a_stream_is_read_by_for_each_alone(more: str, out: str, codes: list[str]) -> None:
    text = STREAM.replace("MORE", more).replace("OUT", out)
    told = [f.code for f in check_text(text, Catalogue()) if f.code != "unused-step"]
    assert sorted(told) == sorted(codes)
