"""`drawloom test`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from drawloom.cli.options import AsJson, ProjectFolder


def test(
    paths: Annotated[
        tuple[Path, ...],
        Parameter(name="PATH", help="Chains, files of tests, or folders; else the project."),
    ] = (),
    /,
    *,
    filter: Annotated[
        str | None, Parameter(help="Only tests whose file, chain or name has this text in it.")
    ] = None,
    junit: Annotated[
        Path | None, Parameter(help="Also write the outcomes to this file, as JUnit XML.")
    ] = None,
    update: Annotated[
        bool,
        Parameter(negative="", help="Put what was seen into the expectations of failing tests."),
    ] = False,
    yes: Annotated[
        bool, Parameter(negative="", help="With --update: write without asking.")
    ] = False,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Run the tests of chains, in memory and in virtual time.

    Tests stand in a chain's `tests:`, or beside it in NAME.test.yaml. Tools
    answer as a test says; only `pure` tools and those of core are called.
    Exit codes: 0 all passed, 1 some did not, 2 there is nothing to test, or a
    file cannot be read.

    With --update, values that `expect` of a failing test names are replaced by
    what was seen, in the files; nothing is added to it, and `that` stays. The
    change is shown, and written if you say yes; the old file is kept beside the
    new one, as FILE.bak. A test that is wrong is left alone.

    With --json: {passed, failed, wrong, suites}; a suite is {file, chain, tests,
    findings, coverage}, a test {name, verdict, seconds, problems, differences},
    and coverage {steps, ran, never_ran, never_skipped}. With --update also
    {update}: {written, files: [{file, diff, backup}], left: [{file, test, lines}]}.

    For example:
      drawloom test
      drawloom test chain.yaml --filter refund
      drawloom test flows/ --junit report.xml
      drawloom test chain.yaml --update
    """
    from drawloom.cli.testing import test_all
    from drawloom.errors import ValueInvalid

    if yes and not update:
        raise ValueInvalid("--yes says that --update may write; give both")
    return test_all(paths, filter or "", junit, json, project, update=update, sure=yes)
