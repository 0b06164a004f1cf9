"""`drawloom runs to-test`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from drawloom.cli.options import AsJson, ProjectFolder, RunId, StateFolder, project_of


def to_test(
    id: RunId,
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(help="The file to write, such as NAME.test.yaml; else it is printed."),
    ] = None,
    read_streams: Annotated[
        bool,
        Parameter(
            negative="", help="Read the streams of the run again: their items are not kept."
        ),
    ] = False,
    json: AsJson = False,
    state: StateFolder = None,
    project: ProjectFolder = None,
) -> int:
    """Make a test of a stored run: the same input, the same answers, the same end.

    What looks like a secret is masked, by the names of fields and by patterns;
    what was masked is told on stderr: look at the test before you share it.
    A run of a part of its chain gives a test with its pins.
    Nothing outside is touched, unless --read-streams is given: then the streams
    of the run, 10,000 items at most, are read again, with the run's connections,
    and have to come as they came then.
    With --out, more than 16 kB of recorded values go into a JSON file beside it.
    The test is run at once. Exit codes: 0 it passes, 1 it does not.

    With --json: {run, chain, file, recorded, masked, passes, lines, test}.

    For example:
      drawloom runs to-test 0194
      drawloom runs to-test 0194 --out refund.test.yaml
    """
    from drawloom.cli.recording import make_test
    from drawloom.cli.runs import store_of

    with store_of(project, state) as store:
        return make_test(project_of(project), store, store.run(id), out, read_streams, json)
