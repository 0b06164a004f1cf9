"""`drawloom test`: which tests it finds, and how it tells what came of them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from .conftest import Bench

DOUBLE = """\
tests:
  - name: doubles
    input: {n: 4}
    expect: {output: {twice: 8, each: [8, 16, 24]}}
"""
PAYING = """\
chain: paying
tests:
  - name: pays
    answers: {pay: {output: {paid: 5}}}
    expect: {output: {paid: 5}}
  - name: pays twice
    answers: {pay: {output: {paid: 5}}}
    expect: {calls: {pay: 2}}
  - {name: pays in earnest}
"""


@pytest.fixture
def tested(bench: Bench) -> Bench:
    with (bench.folder / "double.yaml").open("a") as file:
        file.write(DOUBLE)
    (bench.folder / "tests").mkdir()
    (bench.folder / "tests/anything.test.yaml").write_text(PAYING)
    return bench


def test_all_tests_of_a_project_are_found(tested: Bench) -> None:
    done = tested.here("test", "--json")
    assert done.code == 1
    assert {name: done.json[name] for name in ("passed", "failed", "wrong")} == {
        "passed": 2,
        "failed": 1,
        "wrong": 1,
    }
    by_chain = {suite["chain"]: suite for suite in done.json["suites"]}
    assert [test["verdict"] for test in by_chain["paying"]["tests"]] == [
        "passed",
        "failed",
        "wrong",
    ]
    assert by_chain["paying"]["tests"][1]["differences"] == [
        'calls.pay: expected 2, got 1: [{"amount": 5}]'
    ]
    assert by_chain["double"]["coverage"]["never_ran"] == []
    assert tested.lines("paid") == []


def test_the_chain_itself_is_still_found_beside_its_tests(tested: Bench) -> None:
    assert tested.here("test", "paying.test.yaml").code == 2
    (tested.folder / "paying.test.yaml").write_text(PAYING.replace("chain: paying\n", ""))
    done = tested.here("test", "paying.test.yaml", "--filter", "PAYS", "--json")
    assert [test["name"] for test in done.json["suites"][0]["tests"]] == [
        "pays",
        "pays twice",
        "pays in earnest",
    ]


def test_people_see_what_differs_and_what_is_not_covered(tested: Bench) -> None:
    done = tested.here("test", "tests")
    assert "failed  pays twice" in done.out
    assert "    calls.pay: expected 2, got 1" in done.out
    assert "the test gives no answer" in done.out
    assert done.out.splitlines()[-1].startswith("1 passed, 1 failed, 1 wrong in ")


def test_a_filter_that_fits_nothing_says_so(tested: Bench) -> None:
    done = tested.here("test", "--filter", "nothing")
    assert done.code == 2
    assert "no tests with 'nothing'" in done.err
    assert tested.here("test", "--filter", "doubles").code == 0


def test_junit_counts_failures_and_errors(tested: Bench) -> None:
    done = tested.here("test", "--junit", "report.xml")
    assert done.code == 1
    root = ET.parse(tested.folder / "report.xml").getroot()
    counts = {name: root.get(name) for name in ("tests", "failures", "errors")}
    assert (root.tag, counts) == ("testsuites", {"tests": "4", "failures": "1", "errors": "1"})
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert [child.tag for child in cases["pays twice"]] == ["failure"]
    assert [child.tag for child in cases["pays in earnest"]] == ["error"]
    assert [child.tag for child in cases["doubles"]] == []
    assert cases["doubles"].get("classname") == "double"
    assert tested.here("test", "--junit", "no/folder.xml").code == 2


def test_control_characters_do_not_break_the_xml(bench: Bench) -> None:
    with (bench.folder / "failing.yaml").open("a") as file:
        file.write("tests:\n  - {name: 'fa\\ils & \"ends\"', expect: {}}\n")
    assert bench.here("test", "failing.yaml", "--junit", "report.xml").code == 1
    failure = next(ET.parse(bench.folder / "report.xml").getroot().iter("failure"))
    assert "no \N{REPLACEMENT CHARACTER}[31mluck" in (failure.text or "")


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("tests: [{name: a, expct: {}}]", "1:19", "did you mean 'expect'?"),
        ("tests: [{name: a, answers: {pey: {output: 1}}}]", "1:29", "did you mean 'pay'?"),
        ("tests: [{expect: {}}]", "1:9", "add `name: …`"),
        ("tests: [{name: a, expect: {steps: {pay: done}}}]", "1:41", "a status of a step"),
        ("tests: [", "1:9", "yaml-syntax"),
        ("tests: []\nstep: {}", "2:1", "not a field of a file of tests"),
        ("tests: []\nchain: pying", "2:8", "did you mean 'paying'?"),
        ("tests: 3", "1:8", "is not a list"),
    ],
)
def test_a_malformed_file_of_tests_is_told_by_line_and_column(
    bench: Bench, text: str, place: str, says: str
) -> None:
    (bench.folder / "paying.test.yaml").write_text(text)
    done = bench.here("test", "paying.test.yaml")
    assert done.code == 2
    assert f"paying.test.yaml:{place}:" in done.out
    assert says in done.out


def test_a_chain_with_errors_is_not_tested(bench: Bench) -> None:
    text = (bench.folder / "double.yaml").read_text().replace("core.transform", "core.transfrom")
    (bench.folder / "double.yaml").write_text(text + DOUBLE)
    done = bench.here("test")
    assert done.code == 2
    assert "unknown-tool" in done.out


def test_files_that_cannot_be_tested(bench: Bench) -> None:
    assert "there is no file" in bench.here("test", "none.yaml").err
    assert "has no tests" in bench.here("test", "double.yaml").err
    done = bench.here("test")
    assert (done.code, "there are no tests here" in done.err) == (2, True)


def test_a_recorded_file_that_is_missing_makes_the_test_wrong(bench: Bench) -> None:
    (bench.folder / "double.test.yaml").write_text("tests: [{name: a, recorded: no.json}]")
    done = bench.here("test")
    assert done.code == 1
    assert "recorded: cannot read" in done.out


def test_a_wrong_test_does_not_keep_a_chain_from_running(bench: Bench) -> None:
    with (bench.folder / "double.yaml").open("a") as file:
        file.write("tests: [{name: a, answers: {gone: {output: 1}}}]\n")
    assert bench.here("run", "double.yaml").code == 0
    assert bench.here("check", "double.yaml").code == 0
    assert bench.here("test", "double.yaml").code == 2
