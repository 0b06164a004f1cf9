"""Make a test of a stored run, write it, and see whether it passes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from drawloom.chains.yaml_writing import block
from drawloom.cli import codes
from drawloom.cli.terminal import counted, json_text, print_json, print_lines, say
from drawloom.doors import Doors
from drawloom.drivers.embedded.store import RunRecord, Store
from drawloom.errors import ValueInvalid
from drawloom.project import Project
from drawloom.project.binding import on_the_spot
from drawloom.project.chains import is_test_file
from drawloom.testing import case_of, run_case
from drawloom.testing.looking import Looks
from drawloom.testing.recording import Recorded, recorded
from drawloom.testing.streamed import Reading, read_again


def make_test(
    project: Project,
    store: Store,
    record: RunRecord,
    out: Path | None,
    read_streams: bool,
    as_json: bool,
) -> int:
    """Make a test of *record*; the exit code."""
    if out is not None:
        _refuse(out)
    read = partial(_read, project, record) if read_streams else None
    made = recorded(store, record, project.catalogue.find, read)
    outcome = run_case(case_of(made.test, Path()), made.plan, project.catalogue)
    test, beside = made.test, None
    if out is not None and made.is_large:
        name = out.name.partition(".test.")[0] + ".recorded.json"
        test, beside = made.split(name)
        _write(out.with_name(name), json_text(beside))
    text = _yaml(record.chain, test)
    if out is not None:
        _write(out, text)
    if as_json:
        print_json(
            {
                "run": record.id,
                "chain": record.chain,
                "file": None if out is None else str(out),
                "recorded": test.get("recorded"),
                "masked": list(made.masked),
                "passes": outcome.verdict == "passed",
                "lines": list(outcome.lines),
                "test": test,
            }
        )
    elif out is None:
        print_lines(text.rstrip("\n"))
    _tell(made, out, outcome.lines)
    return codes.OK if outcome.verdict == "passed" else codes.FAILED


def _read(
    project: Project, record: RunRecord, found: Sequence[Reading]
) -> dict[str, dict[str, Any]]:
    """The items of the streams that the run read, through its connections."""
    spots = (name for name in record.bindings.values() if ":" in name)
    connections = {**{name: on_the_spot(name) for name in spots}, **project.connections}

    async def read() -> dict[str, dict[str, Any]]:
        doors = Doors(root=project.folder)
        async with Looks(
            project.catalogue, connections, doors, reads=True, source=project.secrets
        ) as looks:
            return await read_again(found, looks, record.bindings)

    return asyncio.run(read())


def _refuse(out: Path) -> None:
    if not is_test_file(out):
        raise ValueInvalid(f"--out {out}: a file of tests is named NAME.test.yaml")
    if out.exists():
        raise ValueInvalid(f"--out {out}: it is there already; nothing was written")


def _yaml(chain: str, test: Mapping[str, Any]) -> str:
    return "\n".join(block({"chain": chain, "tests": [test]}, 0, 2)) + "\n"


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ValueInvalid(f"{path} is there already; nothing was written") from None
    except OSError as exc:
        raise ValueInvalid(f"cannot write {path}: {exc.strerror}") from None


def _tell(made: Recorded, out: Path | None, lines: tuple[str, ...]) -> None:
    if made.masked:
        say(f"masked {counted(len(made.masked), 'value')}: {', '.join(made.masked)}")
    if lines:
        say("the test does not pass on the chain as it was:")
        for line in lines:
            say(f"  {line}")
    elif out is not None:
        say(f"{out}: it passes")
