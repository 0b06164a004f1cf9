"""`drawloom impact`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from drawloom.cli.options import AsJson, ProjectFolder


def impact(
    files: Annotated[
        tuple[Path, ...],
        Parameter(name="FILE", help="Chains, as YAML or JSON; else all of the project."),
    ] = (),
    /,
    *,
    tool: Annotated[str | None, Parameter(help="The tool that changes.")] = None,
    schema: Annotated[
        Path | None,
        Parameter(help="Its new schemas: JSON with `input`, `output` or both."),
    ] = None,
    drop_output: Annotated[
        list[str] | None, Parameter(negative="", help="A field of its output goes: rows.id")
    ] = None,
    rename_output: Annotated[
        list[str] | None, Parameter(negative="", help="A field of its output is renamed: A=B")
    ] = None,
    drop_input: Annotated[
        list[str] | None, Parameter(negative="", help="A field of its input goes.")
    ] = None,
    rename_input: Annotated[
        list[str] | None, Parameter(negative="", help="A field of its input is renamed: A=B")
    ] = None,
    column: Annotated[
        list[str] | None,
        Parameter(negative="", help="[DATABASE.]TABLE.COLUMN that goes, or changes."),
    ] = None,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Find which steps break when a tool or a column changes, before it does.

    Runs the static check with the tool as it would be, and tells what is new.
    Columns are looked for in the SQL that steps of sqlite and postgresql have
    written in them; `may` says that it cannot be known without running.
    Exit codes: 0 nothing breaks, 1 something does, 2 unusable input.

    With --json: {chains, breaks, may, impacts}; an impact is {chain, step,
    certainty, message} with the fields of a finding where it has a place.

    For example:
      drawloom impact --tool sqlite.query --drop-output count
      drawloom impact --tool shop.orders --schema new.json
      drawloom impact --column shop.orders.total
    """
    from drawloom.cli.impacts import Wanted, show_impact

    wanted = Wanted(
        tool,
        schema,
        tuple(drop_output or ()),
        tuple(rename_output or ()),
        tuple(drop_input or ()),
        tuple(rename_input or ()),
        tuple(column or ()),
    )
    return show_impact(files, wanted, json, project)
