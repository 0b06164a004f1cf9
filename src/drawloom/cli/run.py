"""`drawloom run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from drawloom.cli.options import (
    AsJson,
    Beginnings,
    Binds,
    DurabilityChoice,
    InputJson,
    Inputs,
    ProjectFolder,
    StateFolder,
    options_for,
    project_of,
)


def run(
    file: Annotated[Path, Parameter(name="FILE", help="The chain, as YAML or JSON.")],
    /,
    *,
    input: Inputs = None,
    input_json: InputJson = None,
    bind: Binds = None,
    watch: Annotated[
        bool | None,
        Parameter(
            name="--watch",
            negative="--quiet",
            help="Show how it goes, or do not; on a terminal it is shown.",
        ),
    ] = None,
    json: AsJson = False,
    beginning: Beginnings | None = None,
    durability: DurabilityChoice = None,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Run a chain, and see how it goes.

    The chain is checked first; nothing starts where the check finds an error.
    Ctrl-C asks the run to stop and waits for its clean-up; a second Ctrl-C leaves
    at once, and the run goes on at the next start. Runs that an earlier process
    left unfinished are taken up again, and waited for.

    Exit codes: 0 succeeded, 1 failed or cancelled, 2 nothing was started, 3 no state
    to be had, 4 it waits for a person or a signal, 130 interrupted.

    With --json: {run, chain, status, output, failure, unknown, waits, steps}, where
    steps gives by name {tool, status, attempts, seconds, failure, items_done, items_total}.

    For example:
      drawloom run orders.yaml --input-json @input.json --json
      drawloom run orders.yaml --bind db=sqlite:path=orders.db
      drawloom run orders.yaml --to late --pin big='{"value": []}'
    """
    from drawloom.cli.beginning import beginning_of
    from drawloom.cli.inputs import read_input
    from drawloom.cli.running import Job, progress_mode, run_id, run_job

    begin = beginning or Beginnings()
    found = project_of(project, file)
    plan = found.checked_plan(found.load_chain(file))
    bound = found.bindings(plan, bind or ())
    accepted = plan.accept_input(read_input(input, input_json, plan.input_schema))
    job = Job(
        plan,
        accepted,
        bound.slots,
        run_id(begin.id),
        progress_mode(watch, json),
        json,
        beginning_of(plan, begin),
        begin.wait,
        options_for(found, project, state),
    )
    return run_job(found.engine(durability, state, extra=bound.extra), job)
