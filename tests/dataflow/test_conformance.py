"""The compliance suites of JSONPath and JSONata, run through our own wrappers.

The suites are not part of the project. They are looked for in the folder
`shared/suites` beside the checkout, or where DRAWLOOM_SUITES says:
`jsonpath-cts.json` is cts.json of jsonpath-standard/jsonpath-compliance-test-suite,
`jsonata.json` holds `{datasets, cases}` of the test suite of jsonata-js/jsonata.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drawloom.dataflow.expressions import FULL, Expression, OverBudget
from drawloom.dataflow.jsonpath import JsonPath
from drawloom.dataflow.values import UNDEFINED
from drawloom.errors import ExpressionInvalid

ROOT = Path(__file__).parents[2]
SUITES = Path(os.environ.get("DRAWLOOM_SUITES") or ROOT.parent / "shared" / "suites")


def suite(name: str) -> Any:
    path = SUITES / name
    if not path.is_file():
        pytest.skip(
            f"NOT RUN: there is no {name} in {SUITES}; "
            "say where the compliance suites are by DRAWLOOM_SUITES"
        )
    return json.loads(path.read_text("utf-8"))


# -- JSONPath: every case, without exception -------------------------------------


def test_jsonpath_compliance() -> None:
    cases = suite("jsonpath-cts.json")["tests"]
    wrong = {case["name"]: found for case in cases if (found := jsonpath_miss(case))}
    assert wrong == {}
    assert len(cases) >= 703


def jsonpath_miss(case: dict[str, Any]) -> str | None:
    try:
        query = JsonPath(case["selector"])
    except ExpressionInvalid as exc:
        return None if case.get("invalid_selector") else f"refused: {exc}"
    if case.get("invalid_selector"):
        return "accepted, and is invalid"
    found = query.select(case["document"])
    allowed = case["results"] if "results" in case else [case["result"]]
    return None if found in allowed else f"gave {found!r}"


# -- JSONata: every case but those named here, each for its reason ---------------

# The document is an array. A scope is always an object: the wrapper's envelope
# (an object constructor, which tells null from nothing) would map over it.
OF_AN_ARRAY = {
    "flattening/array-inputs#1",
    "flattening/array-inputs#2",
    "flattening/array-inputs#3",
    "flattening/array-inputs#4",
    "flattening/case034",
    "object-constructor/case024",
    "sorting/case015",
    "sorting/case017",
    "sorting/case018",
}
# The document is null: nothing to a JSONata envelope.
OF_NULL = {"transform/case019"}
# Stopped by our limits: ten million items, recursion of a hundred levels and without end.
BEYOND_LIMITS = {
    "range-operator/case021",
    "range-operator/case024",
    "tail-recursion/case001",
    "tail-recursion/case002",
    "tail-recursion/case005",
    "tail-recursion/case006",
}
# The engine: 1/0 inside $string is D1001 (number out of range) and not D3001.
OTHER_CODE = {"function-string/case019"}
# The source itself has a lone surrogate, so it is no text that could be run.
NO_TEXT = {"function-encodeUrl/case002", "function-encodeUrlComponent/case002"}

KNOWN = OF_AN_ARRAY | OF_NULL | BEYOND_LIMITS | OTHER_CODE | NO_TEXT


def test_jsonata_compliance() -> None:
    cases, datasets = jsonata_cases()
    tested = [c for c in cases if c["id"] not in KNOWN and not uses_eval(c)]
    wrong = {case["id"]: found for case in tested if (found := jsonata_miss(case, datasets))}
    assert wrong == {}
    assert len(tested) >= 1_650


@pytest.mark.slow
def test_what_is_known_to_differ_still_differs() -> None:
    """So that no name stays in the list when its reason is gone."""
    cases, datasets = jsonata_cases()
    differs = {c["id"] for c in cases if c["id"] in KNOWN and jsonata_miss(c, datasets)}
    assert differs == KNOWN


@pytest.mark.slow
def test_our_limits_stop_what_is_beyond_them() -> None:
    cases, datasets = jsonata_cases()
    for case in cases:
        if case["id"] in BEYOND_LIMITS:
            with pytest.raises(OverBudget):
                Expression(case["expr"]).evaluate(document(case, datasets), FULL)


def test_eval_is_refused() -> None:
    cases, datasets = jsonata_cases()
    evals = [case for case in cases if uses_eval(case)]
    assert len(evals) == 12
    for case in evals:
        with pytest.raises(ExpressionInvalid):
            Expression(case["expr"]).evaluate(document(case, datasets), FULL)


def jsonata_cases() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    found = suite("jsonata.json")
    return found["cases"], found["datasets"]


def uses_eval(case: dict[str, Any]) -> bool:
    return "$eval(" in case["expr"]


def document(case: dict[str, Any], datasets: dict[str, Any]) -> Any:
    return case["data"] if "data" in case else datasets.get(case.get("dataset") or "")


def jsonata_miss(case: dict[str, Any], datasets: dict[str, Any]) -> str | None:
    """What went otherwise than the case says, or None."""
    try:
        found = Expression(bound(case)).evaluate(document(case, datasets), FULL)
    except ExpressionInvalid as exc:
        wanted = case.get("code") or case.get("error", {}).get("code")
        return None if exc.code == wanted else f"raised {exc.code}: {exc}"
    except UnicodeError as exc:
        return f"raised {exc}"
    if case.get("undefinedResult"):
        return None if found is UNDEFINED else f"gave {found!r}"
    if "result" not in case:
        return f"gave {found!r}, and should have raised"
    return None if equal(found, case) else f"gave {found!r}"


def equal(found: Any, case: dict[str, Any]) -> bool:
    wanted = case["result"]
    if case.get("unordered") and isinstance(found, list):
        return sorted(map(json.dumps, found)) == sorted(map(json.dumps, wanted))
    return bool(found is not UNDEFINED and found == wanted)


def bound(case: dict[str, Any]) -> str:
    """The source, with the case's variables assigned in front: a chain has no bindings."""
    given = case.get("bindings") or {}
    if not given:
        return str(case["expr"])
    assigned = "".join(f"${name} := {json.dumps(value)}; " for name, value in given.items())
    return f"({assigned}{case['expr']}\n)"
