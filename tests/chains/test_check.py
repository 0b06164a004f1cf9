from __future__ import annotations

import json
from typing import Any

import pytest

from drawloom.chains import chain_of, load
from drawloom.chains.check import check, check_text
from drawloom.chains.findings import Finding
from drawloom.chains.rules import RULES

HEAD = """\
chain: a
input: {days: {type: integer}, name: {type: string}, maybe: {type: [string, "null"]}}
connections: {db: shop, out: mail}
vars: {limit: 5, on: true}
steps:
  late: {use: shop.orders, on: db, with: {days: "${input.days}"}}
"""
# Uses all that HEAD declares, so that a test sees only what it is about.
TAIL = """\
  last: {use: mail.send, on: out, with: {to: "${input.name}", subject: "${vars.limit} ${vars.on} ${input.maybe ?? ''} ${late}"}}
"""


def text_of(*lines: str) -> str:
    return HEAD + "".join(f"{line}\n" for line in lines)


def findings(shelf: Any, text: str) -> list[Finding]:
    return [f for f in check_text(text, shelf, file="a.yaml") if not f.code.startswith("unused-")]


def only(shelf: Any, text: str, code: str) -> Finding:
    found = findings(shelf, text)
    assert [f.code for f in found] == [code], [str(f) for f in found]
    assert found[0].code in RULES
    return found[0]


def mark(text: str) -> tuple[str, int, int]:
    """The text without its `§`, and the line and column where that stood."""
    before, _, after = text.partition("§")
    return before + after, before.count("\n") + 1, len(before) - before.rfind("\n")


# Each: a step (with § where the finding must point), its code, and what its
# suggestion, witness or message must say.
CASES: list[tuple[str, str, str]] = [
    ("x: {use: §mail.sendd, on: out, with: {to: a, subject: b}}", "unknown-tool", "did you mean 'mail.send'?"),
    ("x: {use: §nothing.like_it}", "unknown-tool", "drawloom tools list"),
    ("x: {use: core.add, §wiht: {numbers: [1]}, with: {numbers: []}}", "unknown-field", "did you mean 'with'?"),
    ("x: {use: mail.send, on: §outt, with: {to: a, subject: b}}", "unknown-slot", "did you mean 'out'?"),
    ("x: {use: mail.send, on: §db, with: {to: a, subject: b}}", "wrong-slot-kind", "use 'out'"),
    ("§x: {use: mail.send, with: {to: a, subject: b}}", "missing-on", "add `on: out`"),
    ("x: {use: core.add, on: §db, with: {numbers: []}}", "needless-on", "remove `on`"),
    ("x: {use: core.add, with: {numbers: [], §lable: a}}", "unknown-input", "did you mean 'label'?"),
    ("x: {use: core.add, §with: {label: a}}", "missing-input", "add `numbers: …`"),
    ("§x: {use: core.add}", "missing-input", "core.add needs 'numbers'"),
    ("x: {use: core.add, with: {numbers: [1, §b]}}", "wrong-literal", '"b"'),
    ("x: {use: core.add, with: {numbers: [], label: §5}}", "wrong-literal", "label does not fit"),
    ("x: {use: shop.orders, on: db, with: {days: 1, status: §opne}}", "wrong-literal", "opne"),
    ("x: {use: core.add, with: {numbers: §\"all ${input.days}\"}}", "wrong-literal", "nothing round it"),
    ("x: {use: core.remind, with: {at: §soon, text: '${input.name}'}}", "wrong-literal", "soon"),
    # references
    ("x: {use: core.transform, with: {value: \"${steps.§lat.rows}\"}}", "unknown-step", "did you mean 'late'?"),
    ("x: {use: core.transform, with: {value: \"${steps.late.§row}\"}}", "unknown-output-field", "did you mean 'rows'?"),
    ("x: {use: core.transform, with: {value: \"${steps.late.rows.§emial}\"}}", "unknown-output-field", "did you mean 'email'?"),
    ("x: {use: core.transform, with: {value: \"${$count(steps.late.rows.§emial)}\"}}", "unknown-output-field", "did you mean 'email'?"),
    ("x: {use: core.transform, with: {value: \"${steps.late.count.§day}\"}}", "unknown-output-field", "it is integer"),
    ("x: {use: core.transform, with: {value: {$jsonpath: \"$.steps.§lat.rows[*].id\"}}}", "unknown-step", "did you mean 'late'?"),
    ("x: {use: core.transform, with: {value: \"${input.§dayz}\"}}", "unknown-property", "did you mean 'days'?"),
    ("x: {use: core.transform, with: {value: \"${vars.§limits}\"}}", "unknown-property", "did you mean 'limit'?"),
    ("x: {use: core.transform, with: {value: \"${run.§started}\"}}", "unknown-property", "did you mean 'started_at'?"),
    ("x: {use: core.transform, with: {value: \"${§late.rows}\"}}", "unknown-name", "did you mean 'steps.late'?"),
    ("x: {use: core.transform, with: {value: \"a ${1 + §$nope}\"}}", "unknown-variable", "$nope"),
    ("x: {use: core.transform, with: {value: \"${$keys(§steps)}\"}}", "reads-everything", "steps.NAME"),
    ("x: {use: core.transform, with: {value: \"${§item.id}\"}}", "outside-for-each", "for_each"),
    ("x: {use: core.transform, with: {value: 1}, for_each: \"${§item}\"}", "outside-for-each", "for_each"),
    ("x: {use: core.transform, for_each: \"${steps.late.rows}\", with: {value: \"${item.§emial}\"}}", "unknown-property", "did you mean 'email'?"),
    ("x: {use: core.transform, for_each: [{a: 1}], with: {value: \"${item.§b}\"}}", "unknown-property", "it has a"),
    ("x: {use: core.transform, with: {value: \"${failures.late.§mesage}\"}}", "unknown-property", "did you mean 'message'?"),
    ("x: {use: mail.send, on: out, with: {to: a, subject: \"${§run.started_at}\"}}", "does-not-fit", "$string(run.started_at)"),
    ("x: {use: core.transform, with: {value: \"${failures.§lat.kind}\"}}", "unknown-step", "did you mean 'late'?"),
    ("x: {use: core.transform, with: {value: \"${§steps.late.newest.id}\"}}", "maybe-missing", "${steps.late.newest.id ?? …}"),
    ("x: {use: core.transform, with: {value: \"${§steps.late.rows[0].note}\"}}", "maybe-missing", "may be missing"),
    # does it fit
    ("x: {use: mail.send, on: out, for_each: \"${steps.late.rows}\", with: {to: \"${§item.email}\", subject: b}}", "does-not-fit", "null would break it"),
    ("x: {use: mail.send, on: out, for_each: \"${steps.late.rows}\", with: {to: a, subject: \"To ${§item.email}!\"}}", "does-not-fit", "null"),
    ("x: {use: mail.send, on: out, with: {to: a, subject: \"${§steps.late.count}\"}}", "does-not-fit", "$string(steps.late.count)"),
    ("x: {use: mail.send, on: out, with: {to: a, subject: b, cc: \"${§steps.late.rows}\"}}", "does-not-fit", "would break it"),
    ("x: {use: mail.send, on: out, for_each: \"${steps.late.rows}\", with: {to: a, subject: b, copies: \"${§item.total}\"}}", "does-not-fit", "0.5"),
    ("x: {use: shop.orders, on: db, with: {days: 1, status: \"${§input.name}\"}}", "does-not-fit", "would break it"),
    ("x: {use: mail.send, on: out, with: \"${§steps.late}\"}", "does-not-fit", "would break it"),
    ("x: {use: core.transform, for_each: \"${§steps.late.count}\", with: {value: 1}}", "not-a-list", "0 would break it"),
    # expressions
    ("x: {use: core.transform, with: {value: \"a ${1 + §}\"}}", "bad-expression", ""),
    ("x: {use: core.transform, with: {value: 'it''s ${steps.late.rows[total > ]§}'}}", "bad-expression", "S0211"),
    ("x: {use: core.transform, with: {value: \"a §${1\"}}", "bad-expression", "never closed"),
    ("x: {use: core.transform, when: 1 +§, with: {value: 1}}", "bad-expression", ""),
    ("x: {use: core.transform, with: {value: {$jsonpath: \"§steps\"}}}", "bad-expression", ""),
    # conditions
    ("x: {use: core.transform, when: §1 = 2, with: {value: 1}}", "never-true", "always false"),
    ("x: {use: core.transform, when: §false, with: {value: 1}}", "never-true", "always false"),
    ("x: {use: core.transform, when: §steps.late.count > 5 and steps.late.count < 3, with: {value: 1}}", "never-true", "steps.late.count"),
    ("x: {use: core.transform, when: \"5 < §input.days and 3 >= input.days\", with: {value: 1}}", "never-true", "input.days"),
    ("x: {use: core.transform, for_each: \"${steps.late.rows}\", when: §item.status = \"opne\", with: {value: 1}}", "never-true", "did you mean 'open'?"),
    ("x: {use: core.transform, when: §steps.late.count = \"5\", with: {value: 1}}", "never-true", "it is of type integer"),
    ("x: {use: core.transform, when: §vars.limit = 6, with: {value: 1}}", "never-true", "it is one of 5"),
    ("x: {use: core.transform, when: \"§'a'\", with: {value: 1}}", "not-a-condition", "compare it"),
    ("x: {use: core.transform, when: §steps.late.count, with: {value: 1}}", "not-a-condition", "$exists(steps.late.count)"),
    # limits
    ("x: {use: core.add, with: {numbers: []}, timeout: §0}", "out-of-range", "more than 0"),
    ("x: {use: core.add, with: {numbers: []}, retry: {attempts: §0}}", "out-of-range", "at least 1"),
    ("x: {use: core.add, with: {numbers: []}, retry: {delay: §2m}}", "out-of-range", "max_delay longer"),
    ("x: {use: core.add, with: {numbers: []}, retry: {budget: §100ms}}", "out-of-range", "budget longer"),
    ("x: {use: core.add, with: {numbers: []}, retry: {on: [§timeoot]}}", "bad-value", "did you mean 'timeout'?"),
    ("x: {use: core.add, with: {numbers: []}, §concurrency: 3}", "needless-field", "for_each"),
    ("x: {use: mail.send, on: out, with: {to: a, subject: b}, §retry: {attempts: 3}}", "retry-once", "`once`"),
    # order
    ("x: {use: core.transform, with: {value: \"${§steps.x.value}\"}}", "cycle", "x -> x"),
    ("x: {use: core.transform, with: {value: 1}, after: {§lat: failed}}", "unknown-step", "did you mean 'late'?"),
    ("x: {use: core.transform, with: {value: 1}, after: [§lat]}", "unknown-step", "did you mean 'late'?"),
    # what the engine does itself
    ("x: {use: core.add, with: {numbers: []}, §batch: 5}", "needless-field", "for_each"),
    ("x: {use: core.add, for_each: [1], batch: §0, with: {numbers: []}}", "out-of-range", "at least 1"),
    ("x: {use: core.add, for_each: \"${§steps.late.count}\", with: {numbers: []}}", "not-a-list", ""),
    ("x: {use: core.add, with: {numbers: []}, repeat: {until: \"steps.§nix\"}}", "unknown-step", ""),
    ("x: {use: core.transform, with: {value: \"${§steps.x.value}\"}, repeat: {until: \"true\"}}", "maybe-missing", "??"),
    ("x: {use: mail.send, on: out, with: {to: a, subject: b}, compensate: {use: §mail.sned}}", "unknown-tool", "mail.send"),
    ("x: {use: mail.send, on: out, with: {to: a, subject: b}, compensate: {use: core.add, with: {numbers: [1], §lable: x}}}", "unknown-input", "label"),
    ("x: {use: mail.send, on: out, with: {to: \"${§output}\", subject: b}}", "unknown-name", ""),
    ("x: {use: mail.send, on: out, with: {to: a, subject: b}, §cache: 5m}", "cache-of-effect", "look"),
    ("x: {use: core.add, with: {numbers: []}, cache: §0}", "out-of-range", "more than 0"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "code", "said"), CASES)
def test_a_finding_has_its_code_its_place_and_its_advice(
    shelf: Any, step: str, code: str, said: str
) -> None:
    text, line, column = mark(text_of(f"  {step}"))
    found = only(shelf, text, code)
    assert (found.line, found.column) == (line, column)
    assert found.excerpt == text.split("\n")[line - 1]
    assert said in f"{found.message} | {found.suggestion} | {found.witness}"
    assert found.file == "a.yaml"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("output: {a: \"${steps.§lat.rows}\"}", "unknown-step", "did you mean 'late'?"),
        ("output: {a: \"${steps.late.§cuont}\"}", "unknown-output-field", "did you mean 'count'?"),
        ("output: {a: \"${§index}\"}", "outside-for-each", "for_each"),
        ("§titel: x", "unknown-field", "did you mean 'title'?"),
    ],
)  # fmt: skip
def test_findings_of_the_chain_itself(shelf: Any, line: str, code: str, said: str) -> None:
    text, at_line, column = mark(HEAD + line + "\n")
    found = only(shelf, text, code)
    assert (found.line, found.column) == (at_line, column)
    assert said in f"{found.message} | {found.suggestion}"


@pytest.mark.parametrize(
    ("schema", "code", "said"),
    [
        ("{type: §strng}", "bad-input-schema", "strng"),
        ("{type: integer, default: §abc}", "bad-default", "abc"),
        ("{type: array, items: {type: integer}, default: [1, §b]}", "bad-default", "b"),
        ("{pattern: §'(?=x)'}", "bad-input-schema", "look-around"),
    ],
)
def test_the_schemas_of_the_input_are_checked(
    shelf: Any, schema: str, code: str, said: str
) -> None:
    text, line, column = mark(
        f"chain: a\ninput:\n  x: {schema}\nsteps:\n"
        '  s: {use: core.transform, with: {value: "${input.x}"}}\noutput: "${steps.s}"\n'
    )
    found = only(shelf, text, code)
    assert (found.line, found.column) == (line, column)
    assert said in found.message


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("chain: a\ninput: {x: {}, y: {}}\nsteps: {s: {use: core.transform, with: {value: '${input.x}'}}}\noutput: '${steps.s}'\n", "unused-input", 2, 16),
        ("chain: a\nvars: {x: 1, y: 2}\nsteps: {s: {use: core.transform, with: {value: '${vars.y}'}}}\noutput: '${steps.s}'\n", "unused-variable", 2, 8),
        ("chain: a\nconnections: {db: shop}\nsteps: {s: {use: core.transform, with: {value: 1}}}\noutput: '${steps.s}'\n", "unused-connection", 2, 15),
        ("chain: a\nsteps:\n  s: {use: core.transform, with: {value: 1}}\n", "unused-step", 3, 3),
        ("chain: a\nsteps: {}\n", "no-steps", 2, 8),
    ],
)  # fmt: skip
def test_what_nobody_uses_is_a_warning(
    shelf: Any, text: str, code: str, line: int, column: int
) -> None:
    [found] = check_text(text, shelf)
    assert (found.code, found.severity, found.line, found.column) == (
        code,
        "warning",
        line,
        column,
    )


def test_a_good_chain_has_no_findings(shelf: Any) -> None:
    text = text_of(
        "  each:",
        "    use: mail.send",
        "    on: out",
        "    for_each: ${steps.late.rows}",
        "    concurrency: 3",
        "    when: item.status = 'open' and item.total > 5 and vars.on",
        "    with:",
        "      to: ${item.email ?? input.name}",
        "      subject: Order ${item.id} of ${run.started_at}, no. ${index}",
        "      cc: ['${input.name}', \"${steps.late.rows.email}\"]",
        "    retry: {attempts: 1, on: [throttled]}",
        "    on_error: continue",
        "  rows: {use: shop.query, on: db, with: {sql: select 1, args: ['${vars.limit}']}}",
        "  sum: {use: core.add, with: {numbers: '${steps.rows.rows.n}', label: '${input.maybe ?? 1}'}}",
        "  typed: {use: core.add, with: {numbers: ['5', 5.0]}}",
        "  open: {use: mail.send, on: out, with: {to: '${steps.rows.rows[0].any.thing ?? 1}', subject: s}}",
        "  naive: {use: core.remind, with: {at: '2024-02-29T12:00:00', text: '${input.name}'}}",
        "  mend:",
        "    use: mail.send",
        "    on: out",
        "    after: {late: failed}",
        "    with: {to: a, subject: '${failures.late.kind}: ${failures.late.message}'}",
        '  told: {use: core.transform, with: {value: "${failures.each[index = 0].message}"}}',
        "output: {told: '${steps.told}', ids: '${steps.each}', sums: ['${steps.sum}', '${steps.typed}']}",
    )
    assert [str(f) for f in check_text(text, shelf)] == []


def test_a_cycle_comes_once_with_its_whole_path(shelf: Any) -> None:
    text = text_of(
        "  a: {use: core.transform, with: {value: '${steps.c.value}'}}",
        "  b: {use: core.transform, with: {value: 1}, after: [a]}",
        "  c: {use: core.transform, with: {value: 1}, when: steps.b.value = 1}",
    )
    found = only(shelf, text, "cycle")
    assert found.message == "these steps wait for each other: a -> c -> b -> a"


def test_a_cycle_of_five_thousand_steps_needs_no_recursion(shelf: Any) -> None:
    steps = {
        f"s{n}": {"use": "core.transform", "with": {"value": 1}, "after": [f"s{(n + 1) % 5000}"]}
        for n in range(5000)
    }
    found = check(chain_of({"chain": "a", "steps": steps}), shelf)
    assert [f.code for f in found] == ["cycle"]
    assert found[0].message.count("->") == 5000


def test_ten_findings_at_once_structure_and_meaning_together(shelf: Any) -> None:
    text = """\
chain: A
steps:
  late: {use: shop.orders, on: db, with: {days: x, dais: 1}, timeout: soon}
  tell: {use: mail.snd}
  sum: {use: core.add, with: {numbers: "${steps.lat}"}, resources: {}}
  odd: {use: core.add, with: {numbers: "${1 +}"}, whenn: true}
output: {x: "${item.x}"}
"""
    found = check_text(text, shelf)
    assert [(f.code, f.line) for f in found if not f.code.startswith("unused")] == [
        ("bad-value", 1),
        ("unknown-slot", 3), ("wrong-literal", 3), ("unknown-input", 3), ("bad-value", 3),
        ("unknown-tool", 4),
        ("unknown-step", 5),
        ("bad-expression", 6), ("unknown-field", 6),
        ("outside-for-each", 7),
    ]  # fmt: skip


def test_a_text_that_cannot_be_read_gives_findings_too(shelf: Any) -> None:
    assert [f.code for f in check_text("a: [", shelf)] == ["yaml-syntax"]
    assert [f.code for f in check_text("[1]", shelf)] == ["wrong-type"]
    assert [f.code for f in check_text(b"\xff", shelf)] == ["not-utf-8"]


def test_a_chain_without_a_text_is_checked_by_pointer(shelf: Any) -> None:
    document = {"chain": "a", "steps": {"s": {"use": "core.add", "with": {"numbers": ["x"]}}}}
    found = check(chain_of(document), shelf)[0]
    assert (found.code, found.pointer, found.line) == (
        "wrong-literal",
        "/steps/s/with/numbers/0",
        None,
    )
    assert found.place == "/steps/s/with/numbers/0"


def test_check_tells_unknown_fields_that_an_editor_kept(shelf: Any) -> None:
    chain = load("chain: a\nsteps: {}\nfuture: 1\n", keep_unknown=True)
    assert "unknown-field" in [f.code for f in check(chain, shelf)]


def test_a_facet_is_a_warning_and_a_type_is_an_error(shelf: Any) -> None:
    status = "  x: {use: shop.orders, on: db, with: {days: 1, status: '${input.name}'}}"
    assert only(shelf, text_of(status), "does-not-fit").severity == "warning"
    days = "  x: {use: shop.orders, on: db, with: {days: '${input.maybe}'}}"
    assert only(shelf, text_of(days), "does-not-fit").severity == "error"


def test_a_witness_is_really_given_and_really_refused(shelf: Any) -> None:
    import jsonschema_rs

    text = text_of(
        "  x:", "    use: mail.send", "    on: out", "    for_each: ${steps.late.rows}",
        "    with: {to: '${item.email}', subject: s}",
    )  # fmt: skip
    witness = json.loads(only(shelf, text, "does-not-fit").witness)
    row = shelf.find("shop.orders").output_schema["$defs"]["Order"]["properties"]["email"]
    assert jsonschema_rs.is_valid(row, witness)
    to = shelf.find("mail.send").input_schema["properties"]["to"]
    assert not jsonschema_rs.is_valid(to, witness)


def test_every_code_that_a_finding_can_have_is_explained_and_every_rule_is_used() -> None:
    import re
    from pathlib import Path

    import drawloom.chains

    folder = Path(drawloom.chains.__path__[0])
    source = "".join(p.read_text() for p in folder.glob("*.py") if p.name != "rules.py")
    assert [code for code in RULES if f'"{code}"' not in source] == []
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code) for code in RULES)


def test_a_text_full_of_faults_is_told_so_and_not_read_for_ever(shelf: Any) -> None:
    keys = check_text("".join("a: 1\n" for _ in range(50_000)), shelf)
    assert (len(keys), keys[-1].code) == (201, "too-many-findings")
    fields = "chain: a\nsteps: {}\n" + "".join(f"x{n}: 1\n" for n in range(5_000))
    assert [f.code for f in check_text(fields, shelf)].count("too-many-findings") == 1
    steps = "chain: a\nsteps:\n" + "".join(f"  s{n}: {{use: no.tool{n}}}\n" for n in range(3_000))
    found = check_text(steps, shelf)
    assert found[-1].code == "too-many-findings"
    assert found[-1].severity == "error"


def test_a_condition_that_never_ends_does_not_stop_the_check(shelf: Any) -> None:
    when = "($f := function($x) { $f($x + 1) }; $f(0)) = 1"
    found = findings(
        shelf, text_of(f"  x: {{use: core.add, with: {{numbers: []}}, when: '{when}'}}")
    )
    assert found == []
