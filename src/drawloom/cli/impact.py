"""`drawloom impact`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from drawloom.cli.options import AsJson, ProjectFolder

DropOutput = Annotated[
    list[str] | None, Parameter(negative="", help="A field of its output goes: rows.id")
]
RenameOutput = Annotated[
    list[str] | None, Parameter(negative="", help="A field of its output is renamed: A=B")
]
DropInput = Annotated[list[str] | None, Parameter(negative="", help="A field of its input goes.")]
RenameInput = Annotated[
    list[str] | None, Parameter(negative="", help="A field of its input is renamed: A=B")
]
Columns = Annotated[
    list[str] | None,
    Parameter(negative="", help="[DATABASE.]TABLE.COLUMN that goes, or changes."),
]
Against = Annotated[
    Path | None,
    Parameter(
        name="--against",
        help="What all tools were: a file of `tools schemas`, or a project's folder.",
    ),
]


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
    drop_output: DropOutput = None,
    rename_output: RenameOutput = None,
    drop_input: DropInput = None,
    rename_input: RenameInput = None,
    column: Columns = None,
    against: Against = None,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Find which steps break when tools or a column change, or have changed.

    Runs the static check with the tool as it would be, and tells what is new.
    With --against, all tools as they are now are compared with what they were.
    Columns are looked for in the SQL that steps of sqlite and postgresql have
    written in them; `may` says that it cannot be known without running.
    Exit codes: 0 nothing breaks, 1 something does, 2 unusable input.

    With --json: {chains, breaks, may, impacts}; an impact is {chain, step,
    certainty, message} with the fields of a finding where it has a place. With
    --against also {changes: [{tool, what}]}.

    For example:
      drawloom impact --tool sqlite.query --drop-output count
      drawloom impact --tool shop.orders --schema new.json
      drawloom impact --column shop.orders.total
      drawloom impact --against before.json
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
        against,
    )
    return show_impact(files, wanted, json, project)
