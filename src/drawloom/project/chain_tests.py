"""Find the tests of a project's chains: in a chain's `tests:`, or in `NAME.test.yaml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from drawloom.chains import Chain, Plan, compile_chain
from drawloom.chains.check import findings_of_tests
from drawloom.chains.findings import Finding, errors_of
from drawloom.chains.loading import read_source
from drawloom.chains.structure import locate, structural_findings
from drawloom.errors import ChainInvalid, DrawloomError, ValueInvalid
from drawloom.project.chains import files_in, is_test_file
from drawloom.project.project import Project, read_bytes
from drawloom.testing import Case, case_of

_FIELDS = ("chain", "tests", "note")
_BESIDE = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests in one file, ready to run; `findings` where file or chain is wrong instead."""

    file: Path
    chain: str = ""
    plan: Plan | None = None
    cases: tuple[Case, ...] = ()
    findings: tuple[Finding, ...] = ()
    wrong: Mapping[str, str] = field(default_factory=dict)  # tests that cannot be read, and why


def suites(project: Project, paths: Iterable[Path]) -> Iterator[Suite]:
    """The suites of *paths* (files or folders); files without tests in folders are passed over.

    Raises `ValueInvalid` for a path that is not there, or a named file without tests.
    """
    for path in paths:
        if path.is_dir():
            every = (suite_of(project, file, named=False) for file in files_in(path))
            yield from (suite for suite in every if suite is not None)
        elif (suite := suite_of(project, path, named=True)) is not None:
            yield suite


def suite_of(project: Project, file: Path, *, named: bool) -> Suite | None:
    """The tests in *file*; None where there are none, and it was not *named*."""
    content = read_bytes(file)
    if not named and not is_test_file(file) and b"tests" not in content:
        return None
    try:
        document, source = read_source(content, file=str(file))
    except ChainInvalid as exc:
        return Suite(file, findings=tuple(exc.findings)) if named or is_test_file(file) else None
    whole = document if isinstance(document, dict) else {}
    if not is_test_file(file) and not ("tests" in whole and "chain" in whole):
        if not named:
            return None
        raise ValueInvalid(f"{file} has no tests; add `tests:` to it, or write NAME.test.yaml")
    try:
        if is_test_file(file):
            return _beside(project, file, whole, source)
        return _suite(project, file, project.load_chain(file))
    except ChainInvalid as exc:
        return Suite(file, findings=tuple(exc.findings) or (_finding(str(exc), source),))


def _finding(message: str, source: Any, pointer: str = "") -> Finding:
    return Finding("bad-test", message, **locate(source, pointer))


def _beside(project: Project, file: Path, whole: Mapping[str, Any], source: Any) -> Suite:
    """A file of tests: judged by the schema of chains, with nothing but tests in it."""
    as_chain: dict[str, Any] = {"chain": "tests", "steps": {}, "tests": whole.get("tests")}
    found = [*structural_findings(as_chain, source)]
    for name in whole:
        if name not in _FIELDS:
            known = f"a file of tests has {', '.join(_FIELDS)}"
            place = locate(source, f"/{name}", key=True)
            message = f"{name!r} is not a field of a file of tests"
            found.append(Finding("unknown-field", message, suggestion=known, **place))
    if found:
        return Suite(file, findings=tuple(found))
    try:
        chain = _chain_of(project, file, whole.get("chain"))
    except (KeyError, DrawloomError) as exc:
        said = exc.args[0] if isinstance(exc, KeyError) else exc
        if isinstance(exc, ChainInvalid) and exc.findings:
            return Suite(file, findings=tuple(exc.findings))
        return Suite(file, findings=(_finding(str(said), source, "/chain"),))
    tests = tuple(whole["tests"])
    return _suite(project, file, chain, replace(chain, tests=tests, source=source))


def _chain_of(project: Project, file: Path, name: Any) -> Chain:
    """The chain that a file of tests names, or the one of the file's own name beside it."""
    if isinstance(name, str):
        return project.find_chain(name)
    if name is not None:
        raise ValueInvalid("`chain` is the name of a chain")
    stem = file.name.rpartition(".test.")[0]
    for ending in _BESIDE:
        if (path := file.with_name(stem + ending)).is_file():
            return project.load_chain(path)
    raise ValueInvalid(f"there is no {stem}.yaml beside it; name its chain with `chain: NAME`")


def _suite(project: Project, file: Path, chain: Chain, tested: Chain | None = None) -> Suite:
    """*tested* is the chain with the tests of another file, and that file's text."""
    of_chain = errors_of(project.findings(chain))
    of_tests = findings_of_tests(tested or chain, project.catalogue, project.find_chain)
    findings = (*of_chain, *(replace(f, severity="error") for f in of_tests))
    if findings:
        return Suite(file, chain.name, findings=findings)
    plan = compile_chain(chain, project.catalogue.find, find_chain=project.find_chain)
    cases: list[Case] = []
    wrong: dict[str, str] = {}
    for test in (tested or chain).tests:
        try:
            cases.append(case_of(test, file.parent))
        except ValueInvalid as exc:
            wrong[test["name"]] = str(exc)
    return Suite(file, chain.name, plan, tuple(cases), wrong=wrong)
