"""`drawloom doctor`."""

from __future__ import annotations

from drawloom.cli.options import AsJson, ProjectFolder, StateFolder, project_of


def doctor(
    *, json: AsJson = False, state: StateFolder = None, project: ProjectFolder = None
) -> int:
    """Check the store, the project and this installation. Nothing is changed.

    Exit codes: 0 nothing is wrong (there may be warnings), 1 something is.

    With --json: {healthy, checks: [{name, grade, found, advice}]}; a grade is
    ok, warning or error.

    For example:
      drawloom doctor
      drawloom doctor --state /var/lib/orders --json
    """
    from drawloom.cli.examining import examine_all
    from drawloom.cli.terminal import counted, print_json, print_lines, print_table

    found = project_of(project)
    checks = list(examine_all(found, state or found.state))
    errors = sum(check.grade == "error" for check in checks)
    if json:
        fields = ("name", "grade", "found", "advice")
        listed = [{field: getattr(check, field) for field in fields} for check in checks]
        print_json({"healthy": not errors, "checks": listed})
        return int(errors > 0)
    from rich.text import Text

    colours = {"ok": "green", "warning": "yellow", "error": "bold red"}
    rows = [(Text(c.grade, style=colours[c.grade]), c.name, c.found, c.advice) for c in checks]
    print_table(("", "WHAT", "FOUND", "WHAT TO DO"), rows)
    warnings = sum(check.grade == "warning" for check in checks)
    print_lines(f"\n{counted(errors, 'error')}, {counted(warnings, 'warning')}")
    return int(errors > 0)
