"""`drawloom plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from drawloom.cli.options import AsJson, Binds, InputJson, Inputs, ProjectFolder, project_of


def plan(
    file: Annotated[Path, Parameter(name="FILE", help="The chain, as YAML or JSON.")],
    /,
    *,
    input: Inputs = None,
    input_json: InputJson = None,
    bind: Binds = None,
    read: Annotated[
        bool, Parameter(negative="", help="Call tools that only look, so that more is known.")
    ] = False,
    json: AsJson = False,
    project: ProjectFolder = None,
) -> int:
    """Say what a run would touch, with nothing done.

    Arguments are resolved as far as they are known; `pure` tools are called for
    that, those that look only with --read. The tools of sqlite, postgresql,
    files and http say what they would touch. What looks like a secret is
    masked. Exit codes: 0 it can be told, 1 a step would fail, 2 unusable input.

    With --json: {chain, input, connections, steps}; a step is {step, tool,
    effect, state, why, args, waits_for, items, touches, known}, a touch {does,
    what, count, estimated, more}; touches is null where nobody can say.

    For example:
      drawloom plan orders.yaml -i days=3
      drawloom plan orders.yaml --bind db=sqlite:path=orders.db --read --json
    """
    from drawloom.cli.inputs import read_input
    from drawloom.cli.planning import show_plan

    found = project_of(project, file)
    made = found.checked_plan(found.load_chain(file))
    bound = found.bindings(made, bind or ())
    accepted = made.accept_input(read_input(input, input_json, made.input_schema))
    return show_plan(found, made, accepted, bound, read, json)
