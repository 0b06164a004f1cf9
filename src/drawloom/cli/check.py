"""`drawloom check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from drawloom.cli.options import AsJson, ProjectFolder, project_of

if TYPE_CHECKING:
    from drawloom.chains.findings import Finding

# With one of these the text is not a chain at all: there is nothing to check.
_NO_CHAIN = frozenset(
    {
        "too-large",
        "too-deep",
        "too-many-values",
        "not-utf-8",
        "bad-character",
        "yaml-syntax",
        "json-syntax",
        "several-documents",
    }
)


def check(
    files: Annotated[tuple[Path, ...], Parameter(name="FILE", help="Chains, as YAML or JSON.")],
    /,
    *,
    catalogue: Annotated[
        list[str] | None,
        Parameter(
            name="--catalogue",
            negative="",
            help="[SLOT=]FILE: what a database holds, as `connections describe` told.",
        ),
    ] = None,
    json: AsJson = False,
    sarif: Annotated[
        bool, Parameter(name="--sarif", negative="", help="SARIF 2.1.0, for code review.")
    ] = False,
    project: ProjectFolder = None,
) -> int:
    """Find what is wrong with chains, without running them.

    All findings are shown at once, each with its place, the line and what to do.
    With --catalogue the tables and columns that steps name are checked, and their rows
    have types, those of SQL too. `drawloom connections describe NAME CHAIN > FILE` saves
    one; without SLOT it is of every connection of that kind.

    Exit codes: 0 no errors (warnings may be), 1 errors, 2 a file that is no chain.

    With --json: {files, errors, warnings, unreadable, findings}, where a
    finding has code, message, severity and pointer, and file, line, column,
    excerpt, suggestion and witness where they are known.

    For example:
      drawloom check chain.yaml
      drawloom check flows/*.yaml --sarif > findings.sarif
      drawloom check chain.yaml --catalogue db=shop.json
    """
    from drawloom.cli.terminal import say
    from drawloom.errors import ValueInvalid

    if not files:
        raise ValueInvalid("name at least one chain to check")
    from drawloom.project.described import read_described

    findings: list[Finding] = []
    unreadable: list[str] = []
    for file in files:
        try:
            home = project_of(project, file)
            described = read_described(catalogue or (), home.catalogue)
            found = home.findings_in(file, described)
        except ValueInvalid as exc:
            unreadable.append(str(exc))
            continue
        findings += found
    for message in unreadable:
        say(f"drawloom: {message}")
    _print(findings, unreadable, len(files), "sarif" if sarif else "json" if json else "text")
    if unreadable or any(finding.code in _NO_CHAIN for finding in findings):
        return 2
    return 1 if any(finding.severity == "error" for finding in findings) else 0


def _print(findings: list[Finding], unreadable: list[str], files: int, form: str) -> None:
    from importlib.metadata import version

    from drawloom.chains.report import as_text
    from drawloom.chains.sarif import as_sarif
    from drawloom.cli.terminal import print_json, print_lines

    if form == "sarif":
        print_lines(as_sarif(findings, version=version("drawloom")))
    elif form == "json":
        errors = sum(finding.severity == "error" for finding in findings)
        print_json(
            {
                "files": files,
                "errors": errors,
                "warnings": len(findings) - errors,
                "unreadable": unreadable,
                "findings": [finding.as_json() for finding in findings],
            }
        )
    elif findings:
        print_lines(as_text(findings))
    elif not unreadable:
        print_lines("1 file, no findings" if files == 1 else f"{files} files, no findings")
