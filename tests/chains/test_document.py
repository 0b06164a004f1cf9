from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from drawloom.chains import chain_of, load
from drawloom.chains.schema import chain_schema
from drawloom.errors import ChainInvalid, FailureKind
from drawloom.policies import Retry
from drawloom.policies.cache import CacheRule

WHOLE = """\
chain: late-orders
version: 1.2.0
title: Late orders
description: Tells customers.
input:
  days: {type: integer, default: 30}
  who: {type: string}
connections: {db: postgresql, mail-out: smtp}
vars: {limit: 5}
steps:
  late:
    use: shop.orders
    on: db
    with: {days: "${input.days}"}
    cache: 5m
    timeout: 1h30m
    resources: {memory: 256MB, cpu: 10s}
  tell:
    use: mail.send
    on: mail-out
    for_each: "${steps.late.rows}"
    concurrency: 8
    batch: 2
    when: item.total > 5
    after: [late]
    join: any
    with: {to: "${item.email}"}
    retry: {attempts: 4, delay: 2s, factor: 3, max_delay: 1m, jitter: 0, budget: 5m, on: [throttled]}
    repeat: {until: steps.tell, delay: 1s, limit: 3}
    on_error: continue
    compensate: {use: mail.send, on: mail-out, with: {to: x}}
    note: A remark.
    ui: {x: 1}
  last: {use: core.add, after: {tell: finished}, when: true}
output: {told: "${steps.tell}"}
on_failure: tell-us
timeout: 1h
concurrency: 2
priority: 5
tests: [{name: a}]
note: n
ui: {zoom: 2}
"""


def test_every_field_is_read() -> None:
    chain = load(WHOLE, file="late.yaml")
    assert (chain.name, chain.version, chain.timeout, chain.priority) == (
        "late-orders", "1.2.0", 3600.0, 5,
    )  # fmt: skip
    assert chain.tests == ({"name": "a"},)
    late, tell, last = chain.steps.values()
    assert (late.cache, late.timeout, late.resources) == (
        CacheRule(300.0),
        5400.0,
        {"memory": "256MB", "cpu": "10s"},
    )
    assert tell.after == {"late": "succeeded"}
    assert last.after == {"tell": "finished"}
    assert last.when is True
    assert tell.retry == Retry(4, 2.0, 3.0, 60.0, 0.0, 300.0, frozenset({FailureKind.THROTTLED}))
    assert tell.repeat is not None
    assert (tell.repeat.until, tell.repeat.delay, tell.repeat.limit) == ("steps.tell", 1.0, 3)
    assert tell.compensate is not None
    assert tell.compensate.with_ == {"to": "x"}
    assert (tell.join, tell.on_error, tell.batch, tell.concurrency) == ("any", "continue", 2, 8)
    assert chain.source is not None
    assert chain.source.file == "late.yaml"


def test_an_input_without_a_default_is_required() -> None:
    chain = load(WHOLE)
    assert chain.input_schema["required"] == ["who"]
    assert chain.defaults == {"days": 30}


def test_a_chain_made_from_plain_data_has_no_places() -> None:
    chain = chain_of({"chain": "a", "steps": {}})
    assert (chain.source, chain.positions) == (None, {})
    with pytest.raises(ChainInvalid) as caught:
        chain_of({"chain": "a", "steps": {}, "stepz": 1})
    [finding] = caught.value.findings
    assert (finding.pointer, finding.line) == ("/stepz", None)


def test_unknown_fields_are_refused_but_an_editor_may_keep_them() -> None:
    text = "chain: a\nsteps:\n  x:\n    use: core.add\n    whenn: true\nfuture: 1\n"
    with pytest.raises(ChainInvalid) as caught:
        load(text)
    assert [(f.code, f.line, f.column, f.suggestion) for f in caught.value.findings] == [
        ("unknown-field", 5, 5, "did you mean 'when'?"),
        ("unknown-field", 6, 1, caught.value.findings[1].suggestion),
    ]
    chain = load(text, keep_unknown=True)
    assert chain.document["future"] == 1
    assert chain.document["steps"]["x"]["whenn"] is True


def step(**fields: Any) -> dict[str, Any]:
    return {"chain": "a", "steps": {"x": {"use": "core.add", **fields}}}


def whole(**fields: Any) -> dict[str, Any]:
    return {"chain": "a", "steps": {}, **fields}


GOOD = [
    whole(), whole(version="0.1.0-rc.1+b"), whole(output=None), whole(output=[1]), step(),
    step(timeout=5), step(timeout=0.5), step(**{"with": "${item}"}), step(for_each=[1, 2]),
    step(for_each={"$jsonpath": "$.input"}), step(when=False), step(after=[]),
    step(after={"y": "failed"}), step(retry={}), whole(input={"a": {}}), whole(vars={"a": None}),
]  # fmt: skip
BAD: list[tuple[Any, str, str]] = [
    ([], "", "wrong-type"),
    ({"chain": "a"}, "", "missing-field"),
    ({"steps": {}}, "", "missing-field"),
    (whole(chain="A b"), "/chain", "bad-value"),
    (whole(chain=None), "/chain", "wrong-type"),
    (whole(version=1.2), "/version", "wrong-type"),
    (whole(version="1.2"), "/version", "bad-value"),
    (whole(steps=[]), "/steps", "wrong-type"),
    (whole(steps={"a-b": {"use": "x.y"}}), "/steps/a-b", "bad-name"),
    (whole(steps={"1a": {"use": "x.y"}}), "/steps/1a", "bad-name"),
    (whole(input={"a b": {}}), "/input/a b", "bad-name"),
    (whole(input={"a": "integer"}), "/input/a", "wrong-type"),
    (whole(connections={"db": 1}), "/connections/db", "wrong-type"),
    (whole(priority="high"), "/priority", "wrong-type"),
    (step(use=1), "/steps/x/use", "wrong-type"),
    (step(use=""), "/steps/x/use", "bad-value"),
    (step(**{"with": "text"}), "/steps/x/with", "bad-value"),
    (step(**{"with": None}), "/steps/x/with", "wrong-type"),
    (step(for_each="steps.a"), "/steps/x/for_each", "bad-value"),
    (step(join="some"), "/steps/x/join", "bad-value"),
    (step(after={"y": "done"}), "/steps/x/after/y", "bad-value"),
    (step(after=["y", "y"]), "/steps/x/after", "bad-value"),
    (step(concurrency=0), "/steps/x/concurrency", "out-of-range"),
    (step(concurrency=2.5), "/steps/x/concurrency", "wrong-type"),
    (step(timeout="5 minutes"), "/steps/x/timeout", "bad-value"),
    (step(timeout=-1), "/steps/x/timeout", "out-of-range"),
    (step(timeout="9" * 60 + "s"), "/steps/x/timeout", "bad-value"),
    (step(retry=3), "/steps/x/retry", "wrong-type"),
    (step(retry={"attempts": 0}), "/steps/x/retry/attempts", "out-of-range"),
    (step(retry={"jitter": 2}), "/steps/x/retry/jitter", "out-of-range"),
    (step(retry={"on": ["tranzient"]}), "/steps/x/retry/on/0", "bad-value"),
    (step(retry={"attempt": 3}), "/steps/x/retry/attempt", "unknown-field"),
    (step(on_error="ignore"), "/steps/x/on_error", "bad-value"),
    (step(repeat={}), "/steps/x/repeat", "missing-field"),
    (step(compensate={"use": "a.b", "when": "a"}), "/steps/x/compensate/when", "unknown-field"),
]


@pytest.mark.parametrize("document", GOOD)
def test_the_schema_and_the_loader_accept_the_same(document: Any) -> None:
    assert jsonschema_rs.validator_for(chain_schema()).is_valid(document)
    assert chain_of(document).document == document


@pytest.mark.parametrize(("document", "pointer", "code"), BAD)
def test_the_schema_and_the_loader_refuse_the_same(document: Any, pointer: str, code: str) -> None:
    assert not jsonschema_rs.validator_for(chain_schema()).is_valid(document)
    with pytest.raises(ChainInvalid) as caught:
        chain_of(document)
    assert [(f.pointer, f.code) for f in caught.value.findings] == [(pointer, code)]


def test_the_published_schema_is_one_and_describes_every_field() -> None:
    schema = chain_schema()
    assert jsonschema_rs.meta.is_valid(schema)
    for owner in (schema, schema["$defs"]["step"]):
        assert all(field["description"] for field in owner["properties"].values())
    schema["properties"].clear()
    assert chain_schema()["properties"]


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("chain: a\nsteps: {a-b: {use: x.y}}", "use letters, digits and _, such as 'a_b'"),
        ("chain: a\nversion: 1.2\nsteps: {}", 'write it in quotes, as MAJOR.MINOR.PATCH: "1.2.0"'),
        ("chain: a\nsteps: {a: {use: x.y, retry: {on: [tiemout]}}}", "did you mean 'timeout'?"),
        (
            "chain: a\nsteps: {a: {use: x.y, timeout: 5 min}}",
            "write it like 30s, 5m, 1h30m or 250ms",
        ),
        ("chain: a\nsteps: {a: {uses: x.y}}", "is 'uses' meant for it?"),
        ("chain: a\nsteps: {a: {use: x.y, note: }}", "give it a value, or remove the field"),
    ],
)
def test_a_structural_finding_says_what_to_do(text: str, suggestion: str) -> None:
    with pytest.raises(ChainInvalid) as caught:
        load(text)
    assert suggestion in [f.suggestion for f in caught.value.findings]


def test_a_chain_of_40_kb_is_read_without_a_quadratic_step() -> None:
    """Counted, not timed: twice the text is at most about twice the work."""
    import sys

    def work(steps: int) -> int:
        text = "chain: a\nsteps:\n" + "".join(
            f"  s{n}:\n    use: core.add\n    with: {{label: x, numbers: [1]}}\n"
            for n in range(steps)
        )
        calls = 0

        def count(frame: Any, event: str, arg: Any) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            load(text)
        finally:
            sys.setprofile(None)
        return calls

    work(1)  # what is made once is made before
    assert work(200) < 2.3 * work(100)
