"""`drawloom runs cancel`, `resolve` and `replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from drawloom.cli.options import (
    AsJson,
    ProjectFolder,
    RunId,
    StateFolder,
    project_of,
)

Wait = Annotated[
    bool, Parameter(name="--wait", negative="--no-wait", help="Wait until the run is over.")
]


def cancel(
    id: RunId,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; it is kept with the run.")] = "asked to stop",
    wait: Wait = True,
    abandon: Annotated[
        bool,
        Parameter(
            negative="",
            help="For a run that cannot be taken up any more: end it without clean-up.",
        ),
    ] = False,
    json: AsJson = False,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Ask a run to stop; its clean-up still runs.

    If another process has the run, that one is asked. Exit codes: 0 the run is
    cancelled (or asked to be, with --no-wait), 1 it ended otherwise.

    With --json: what `runs list` has of the run, and its output.

    For example:
      drawloom runs cancel 0194 --reason "wrong month"
    """
    from drawloom.cli.acting import act_on

    act = act_on(id, wait, json, state, project)
    return act.abandon(reason) if abandon else act.cancel(reason)


def resolve(
    id: RunId,
    call: Annotated[str, Parameter(name="CALL", help="The call, as `runs show` names it.")],
    /,
    *,
    succeeded: Annotated[bool, Parameter(negative="", help="It had its effect.")] = False,
    failed: Annotated[bool, Parameter(negative="", help="It had no effect.")] = False,
    again: Annotated[bool, Parameter(negative="", help="Make the call again.")] = False,
    output: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            help="With --succeeded: what the tool would have given, as JSON.",
        ),
    ] = None,
    message: Annotated[str, Parameter(help="With --failed: what went wrong.")] = "",
    wait: Wait = True,
    json: AsJson = False,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Say how a call ended whose outcome nobody could know; the run then goes on.

    With --json: what `runs list` has of the run, and its output.

    For example:
      drawloom runs resolve 0194 pay#1 --succeeded --output '{"id": "p-7"}'
      drawloom runs resolve 0194 pay#1 --failed --message "the bank never saw it"
      drawloom runs resolve 0194 pay#1 --again
    """
    from drawloom.cli.acting import act_on
    from drawloom.errors import ValueInvalid

    said = {"succeeded": succeeded, "failed": failed, "again": again}
    outcomes: list[Any] = [name for name, chosen in said.items() if chosen]
    if len(outcomes) != 1:
        raise ValueInvalid("say just one of --succeeded, --failed and --again")
    outcome: Literal["succeeded", "failed", "again"] = outcomes[0]
    if output is not None and outcome != "succeeded":
        raise ValueInvalid("--output goes with --succeeded")
    act = act_on(id, wait, json, state, project)
    return act.resolve(call, outcome, output, message)


def replay(
    id: RunId,
    /,
    *,
    chain: Annotated[
        Path | None,
        Parameter(help="Give the recorded answers to this edited chain: what would differ?"),
    ] = None,
    json: AsJson = False,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Run a recorded run again, offline, and compare: no tool is called.

    Says of each step whether it gives the recorded result. Exit codes: 0 all is
    the same, 1 something differs.

    With --json: {run, chain, same, steps, end}, each step and the end with
    {verdict, why}; a verdict is same, differs, added or removed.

    For example:
      drawloom runs replay 0194
      drawloom runs replay 0194 --chain edited.yaml
    """
    from drawloom.cli.comparing import compare
    from drawloom.cli.runs import store_of

    with store_of(project, state) as store:
        return compare(project_of(project), store, store.run(id), chain, json)
