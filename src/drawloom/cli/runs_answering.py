"""`drawloom runs approve`, `signal` and `rerun`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from drawloom.cli.options import (
    AsJson,
    DurabilityChoice,
    ProjectFolder,
    RunId,
    StateFolder,
    options_for,
    project_of,
)
from drawloom.cli.runs_acting import Wait


def approve(
    id: RunId,
    step: Annotated[
        str, Parameter(name="STEP", help="The step that asks, as `runs show` has it.")
    ],
    /,
    *,
    by: Annotated[
        str | None, Parameter(help="Who you are; else your name on this system.")
    ] = None,
    no: Annotated[bool, Parameter(negative="", help="Do not approve.")] = False,
    field: Annotated[
        list[str] | None,
        Parameter(
            name=("--field", "-f"),
            negative="",
            help="NAME=VALUE of the form, once for each field.",
        ),
    ] = None,
    comment: Annotated[str, Parameter(help="Why; it is kept with the run.")] = "",
    wait: Wait = True,
    json: AsJson = False,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Answer a step that asks for approval; the run then goes on.

    The exit code is that of the run. With --json: what `runs list` has of the run,
    and its output.

    For example:
      drawloom runs approve 0194 ask --by ada --field limit=50
      drawloom runs approve 0194 ask --by ada --no --comment "too dear"
    """
    from getpass import getuser

    from drawloom.cli.acting import act_on

    act = act_on(id, wait, json, state, project)
    answers = act.fields(step, field or ())
    said = {"step": step, "by": by or getuser(), "approve": not no, "answers": answers}
    return act.approve({**said, "comment": comment})


def signal(
    id: RunId,
    name: Annotated[str, Parameter(name="NAME", help="The signal, as the chain names it.")],
    /,
    *,
    payload: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help="What comes with it, as JSON."),
    ] = None,
    wait: Wait = True,
    json: AsJson = False,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Send a signal to a run; it is kept until a step waits for it.

    The exit code is that of the run. With --json: what `runs list` has of the run,
    and its output.

    For example:
      drawloom runs signal 0194 paid --payload '{"amount": 7}'
    """
    from drawloom.cli.acting import act_on
    from drawloom.dataflow.values import read_json

    value = None if payload is None else read_json(payload, source="--payload")
    act = act_on(id, wait, json, state, project)
    return act.signal(name, value)


def rerun(
    id: RunId,
    /,
    *,
    start: Annotated[
        str, Parameter(name="--from", help="The step to begin with; what rests on it follows.")
    ],
    only: Annotated[bool, Parameter(negative="", help="Run this step alone.")] = False,
    pin: Annotated[
        list[str] | None,
        Parameter(negative="", help="STEP=JSON or STEP=@FILE: the step gives this instead."),
    ] = None,
    json: AsJson = False,
    durability: DurabilityChoice = None,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Run a stored run again from one of its steps, as a new run.

    All that does not rest on the step is as it was: it is not called again. The
    chain is that of the stored run. Exit codes and --json are those of `drawloom run`.

    For example:
      drawloom runs rerun 0194 --from tell
      drawloom runs rerun 0194 --from late --only
    """
    from drawloom.cli.rerunning import rerun_run

    found = project_of(project)
    options = options_for(found, project, state)
    return rerun_run(found, state, id, start, pin or (), only, json, durability, options)
