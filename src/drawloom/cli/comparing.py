"""Replay a stored run and show what is the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawloom.cli import codes
from drawloom.cli.terminal import print_json, print_lines, print_table
from drawloom.drivers.embedded.replaying import (
    Compared,
    Report,
    replay_edited,
    replay_recorded,
)
from drawloom.drivers.embedded.store import RunRecord, Store

if TYPE_CHECKING:
    from drawloom.project import Project


def compare(
    project: Project, store: Store, record: RunRecord, chain: Path | None, as_json: bool
) -> int:
    """Replay *record*, on its own plan or on the edited *chain*; the exit code."""
    find = project.catalogue.find
    if chain is None:
        report = replay_recorded(store, record, find)
    else:
        plan = project.checked_plan(project.load_chain(chain))
        report = replay_edited(store, record, find, plan)
    if as_json:
        print_json(_json(report, chain))
    else:
        _print(report, record)
    return codes.OK if report.same else codes.FAILED


def _json(report: Report, chain: Path | None) -> dict[str, Any]:
    return {
        "run": report.run,
        "chain": None if chain is None else str(chain),
        "same": report.same,
        "steps": {
            one.step: {"verdict": one.verdict, "why": list(one.why)} for one in report.steps
        },
        "end": {"verdict": report.end.verdict, "why": list(report.end.why)},
    }


def _print(report: Report, record: RunRecord) -> None:
    rows = [(one.step, _verdict(one), "; ".join(one.why)) for one in report.steps]
    rows.append(("(the run)", _verdict(report.end), "; ".join(report.end.why)))
    print_table(("STEP", "REPLAY", "WHY"), rows)
    if report.same:
        print_lines(f"\nEverything is as recorded: {record.chain} {record.status}.")
    else:
        print_lines("\nNot everything is as recorded.")


def _verdict(one: Compared) -> Any:
    from rich.text import Text

    colours = {"same": "green", "differs": "red", "added": "yellow", "removed": "yellow"}
    return Text(one.verdict, style=colours[one.verdict])
