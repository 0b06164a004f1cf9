"""`drawloom runs`: look at runs; `runs_acting` does something about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from drawloom.cli import runs_acting, runs_answering, runs_to_test
from drawloom.cli.options import (
    AsJson,
    ProjectFolder,
    RunId,
    StateFolder,
    options_for,
    project_of,
)

if TYPE_CHECKING:
    from drawloom.drivers.embedded.store import Store

runs = App(name="runs", help="Look at runs; cancel, answer, resolve, repeat or replay them.")
for _command in (
    runs_acting.cancel,
    runs_acting.resolve,
    runs_answering.approve,
    runs_answering.signal,
    runs_answering.rerun,
    runs_acting.replay,
    runs_to_test.to_test,
):
    runs.command(_command)


def store_of(project: Path | None, state: Path | None) -> Store:
    """The store to read. Raises `StateUnusable` where there is none."""
    from drawloom.drivers.embedded.store import Store

    return Store(state or project_of(project).state)


@runs.command(name="list")
def list_(
    *,
    status: Annotated[
        Literal["queued", "running", "waiting", "unknown", "succeeded", "failed", "cancelled"]
        | None,
        Parameter(help="Only runs of this status."),
    ] = None,
    chain: Annotated[str | None, Parameter(help="Only runs of this chain.")] = None,
    limit: Annotated[int, Parameter(help="How many at most, the latest first.")] = 20,
    before: Annotated[
        int | None, Parameter(help="Only runs before this number: to see more of a long list.")
    ] = None,
    json: AsJson = False,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """List runs, the latest first.

    With --json: {runs: [{run, chain, status, number, started_at, ended_at,
    seconds, failure}]}; instants are RFC 3339 in UTC.

    For example:
      drawloom runs list --status failed
      drawloom runs list --chain late-orders --limit 100 --json
    """
    from drawloom.cli.looking import print_runs
    from drawloom.cli.terminal import print_json
    from drawloom.project import shapes

    options = options_for(project_of(project), project, state)
    with store_of(project, state) as store:
        found = store.list(status, chain, limit, before)
        if json:
            print_json({"runs": [shapes.record(record) for record in found]})
        else:
            print_runs(store, found, limit, options)
    return 0


@runs.command
def show(
    id: RunId,
    /,
    *,
    step: Annotated[
        str | None, Parameter(help="Show this step: its output, and what its calls did.")
    ] = None,
    json: AsJson = False,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Show a run: its steps, what they cost, its result or its failure.

    With --json: what a list has of the run, and {version, bindings, input,
    output, owner, unknown, waits, parent, children, steps, steps_missing}; each step
    has its metrics {calls, wall, cpu, bytes_in, bytes_out, peak_memory} in seconds and
    bytes. With --step: that step, its output and its events.

    For example:
      drawloom runs show 0194
      drawloom runs show 0194 --step late --json
    """
    from drawloom.cli import looking

    found = project_of(project)
    options = options_for(found, project, state)
    with store_of(project, state) as store:
        return looking.show(store, found, store.run(id), step, json, options)


@runs.command
def follow(
    id: RunId,
    /,
    *,
    json: AsJson = False,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Show what a run does as it does it, from its beginning until it is over.

    The run belongs to another process; Ctrl-C ends the watching, not the run.
    With `--json` each event is one JSON document on a line of its own.

    An event is {seq, at, kind, call, step, seconds, failure}.

    For example:
      drawloom runs follow 0194
    """
    from drawloom.cli import looking

    with store_of(project, state) as store:
        return looking.follow(store, store.find(id), json)
