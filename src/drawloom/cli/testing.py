"""Run the tests that `drawloom test` was asked for, and show how they went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drawloom.chains.findings import Finding
from drawloom.chains.report import as_text
from drawloom.cli import codes
from drawloom.cli.options import project_of
from drawloom.cli.terminal import console, counted, duration, print_json, say, shown
from drawloom.cli.updating import Update, update_tests
from drawloom.errors import ValueInvalid
from drawloom.project import Project
from drawloom.project.chain_tests import Suite, suites
from drawloom.testing import Coverage, Outcome, run_case
from drawloom.testing.junit import Group, as_junit

_COLOURS = {"passed": "green", "failed": "red", "wrong": "bold magenta"}


@dataclass(frozen=True, slots=True)
class Tested:
    """A suite and how its tests went. `coverage` is None where only some of them were run."""

    suite: Suite
    outcomes: tuple[Outcome, ...]
    coverage: Coverage | None


def test_all(
    paths: tuple[Path, ...],
    wanted: str,
    junit: Path | None,
    as_json: bool,
    folder: Path | None,
    *,
    update: bool = False,
    sure: bool = False,
) -> int:
    """Run the tests, and with *update* write what was seen; the exit code."""
    tested = []
    unreadable: list[str] = []
    for project, path in _places(paths, folder):
        try:
            found = [_tested(suite, project, wanted) for suite in suites(project, [path])]
        except ValueInvalid as exc:
            unreadable.append(str(exc))
            continue
        tested += [one for one in found if one.outcomes or (one.suite.findings and not wanted)]
    if junit is not None:
        _write(junit, as_junit(map(_group, tested)))
    for message in unreadable:
        say(f"drawloom: {message}")
    if not tested and not unreadable:
        which = f" with {wanted!r}" if wanted else ""
        raise ValueInvalid(
            f"there are no tests{which} here; add `tests:` to a chain, or write NAME.test.yaml"
        )
    if not as_json:
        _show(tested)
    done = _update(tested, sure, as_json) if update else None
    if as_json:
        _print_json(tested, unreadable, done)
    code = _code(tested, unreadable)
    return codes.OK if code == codes.FAILED and done is not None and done.complete else code


def _update(tested: list[Tested], sure: bool, as_json: bool) -> Update:
    files = [(one.suite.file, one.outcomes) for one in tested]
    return update_tests(files, sure=sure, as_json=as_json)


def _places(paths: tuple[Path, ...], folder: Path | None) -> Iterable[tuple[Project, Path]]:
    if not paths:
        project = project_of(folder)
        return [(project, project.folder)]
    return [(project_of(folder, path / "x" if path.is_dir() else path), path) for path in paths]


def _tested(suite: Suite, project: Project, wanted: str) -> Tested:
    names = f"{suite.file} {suite.chain}"
    outcomes = [
        Outcome(name, (why,)) for name, why in suite.wrong.items() if _is(wanted, names, name)
    ]
    if suite.plan is None:
        return Tested(suite, tuple(outcomes), None)
    cases = [case for case in suite.cases if _is(wanted, names, case.name)]
    coverage = Coverage(suite.plan)
    for case in cases:
        outcome = run_case(case, suite.plan, project.catalogue)
        if outcome.result is not None:
            coverage.add(outcome.result, case.pins, case.only)
        outcomes.append(outcome)
    whole = len(outcomes) == len(suite.cases) + len(suite.wrong)
    return Tested(suite, tuple(outcomes), coverage if whole else None)


def _is(wanted: str, names: str, name: str) -> bool:
    return wanted.lower() in f"{names} {name}".lower()


def _group(tested: Tested) -> Group:
    outcomes = tested.outcomes
    if tested.suite.findings:
        outcomes = (Outcome("(the file)", tuple(map(str, tested.suite.findings))),)
    return Group(str(tested.suite.file), tested.suite.chain, outcomes)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as exc:
        raise ValueInvalid(f"--junit: cannot write {path}: {exc.strerror}") from None


def _code(tested: list[Tested], unreadable: list[str]) -> int:
    if unreadable or any(one.suite.findings for one in tested):
        return codes.UNUSABLE
    passed = all(o.verdict == "passed" for one in tested for o in one.outcomes)
    return codes.OK if passed else codes.FAILED


def _count(tested: list[Tested]) -> dict[str, int]:
    verdicts = [outcome.verdict for one in tested for outcome in one.outcomes]
    return {name: sum(v == name for v in verdicts) for name in _COLOURS}


def _print_json(tested: list[Tested], unreadable: list[str], update: Update | None) -> None:
    suites = [_as_json(one) for one in tested]
    more = {} if update is None else {"update": update.as_json()}
    print_json({**_count(tested), "unreadable": unreadable, "suites": suites, **more})


def _show(tested: list[Tested]) -> None:
    for one in tested:
        _print_suite(one)
    counts = _count(tested)
    parts = [f"{counts['passed']} passed"]
    parts += [f"{counts[name]} {name}" for name in ("failed", "wrong") if counts[name]]
    broken = sum(bool(one.suite.findings) for one in tested)
    parts += [f"{counted(broken, 'file')} with findings"] if broken else []
    took = sum(outcome.seconds for one in tested for outcome in one.outcomes)
    console().print(f"{', '.join(parts)} in {duration(took)}")


def _print_suite(tested: Tested) -> None:
    from rich.text import Text

    out = console()
    named = f" ({tested.suite.chain})" if tested.suite.chain else ""
    out.print(Text(shown(f"{tested.suite.file}{named}"), style="bold"))
    if tested.suite.findings:
        out.print(Text(shown(as_text(tested.suite.findings), lines=True)), soft_wrap=True)
    for one in tested.outcomes:
        line = Text.assemble(("  "), (one.verdict, _COLOURS[one.verdict]), f"  {shown(one.name)}")
        out.print(line, soft_wrap=True)
        for said in one.lines:
            out.print(Text(f"    {shown(said)}"), soft_wrap=True)
    for said in _uncovered(tested.coverage):
        out.print(Text(f"  {said}", style="dim"), soft_wrap=True)


def _uncovered(coverage: Coverage | None) -> list[str]:
    if coverage is None:
        return []
    ran, all_ = coverage.steps
    said = [f"{ran} of {counted(all_, 'step')} ran"]
    if coverage.never_ran:
        said.append(f"in no test ran: {', '.join(coverage.never_ran)}")
    if coverage.never_skipped:
        said.append(f"in no test skipped: {', '.join(coverage.never_skipped)}")
    return said


def _as_json(tested: Tested) -> dict[str, Any]:
    suite = tested.suite
    return {
        "file": str(suite.file),
        "chain": suite.chain or None,
        "tests": [_test_json(outcome) for outcome in tested.outcomes],
        "findings": [_finding(found) for found in suite.findings],
        "coverage": _coverage(tested.coverage),
    }


def _finding(found: Finding) -> dict[str, Any]:
    return found.as_json()


def _test_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "verdict": outcome.verdict,
        "seconds": outcome.seconds,
        "problems": list(outcome.problems),
        "differences": list(outcome.differences),
    }


def _coverage(coverage: Coverage | None) -> dict[str, Any] | None:
    if coverage is None:
        return None
    ran, all_ = coverage.steps
    return {
        "steps": all_,
        "ran": ran,
        "never_ran": list(coverage.never_ran),
        "never_skipped": list(coverage.never_skipped),
    }
