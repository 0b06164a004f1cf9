"""Run a stored run again, from one of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drawloom.cli.beginning import rerun_of
from drawloom.cli.running import Job, progress_mode, run_id, run_job
from drawloom.drivers.embedded.recovery import PlanShelf
from drawloom.drivers.embedded.store import Store
from drawloom.project import Project


def rerun_run(
    project: Project,
    state: Path | None,
    id: str,
    start: str,
    pins: Sequence[str],
    only: bool,
    as_json: bool,
    durability: Any,
    options: str,
) -> int:
    """Begin a new run with the results that the old one had; the exit code."""
    with Store(state or project.state) as store:
        record = store.run(id)
        plan = PlanShelf(store.db, project.catalogue.find).get(record.plan)
        run = store.history(record, project.catalogue.find).run
        beginning = rerun_of(plan, run, start, pins, only=only)
        given = run.scope["input"]
    job = Job(
        plan,
        given,
        record.bindings,
        run_id(None),
        progress_mode(None, as_json),
        as_json,
        beginning,
        False,
        options,
    )
    return run_job(project.engine(durability, state), job)
