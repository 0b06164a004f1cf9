"""`drawloom test --update`: show what would be written, ask, and write it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drawloom.cli.terminal import counted, print_lines, say
from drawloom.errors import ValueInvalid
from drawloom.project.updating_tests import Rewrite, Rewrites, write
from drawloom.testing import Outcome
from drawloom.testing.updating import unmet_after, updated


@dataclass
class Update:
    """What came of an update. `left` are tests that are not, or not wholly, mended, and why."""

    rewrites: tuple[Rewrite, ...] = ()
    left: list[tuple[Path, str, tuple[str, ...]]] = field(default_factory=list)
    backups: dict[Path, Path] = field(default_factory=dict)
    written: bool = False

    @property
    def complete(self) -> bool:
        """Whether every test would pass now."""
        return not self.left and (self.written or not self.rewrites)

    def as_json(self) -> dict[str, Any]:
        """The shape that `--json` prints."""
        return {
            "written": self.written,
            "files": [
                {
                    "file": str(one.path),
                    "diff": one.diff,
                    "backup": str(self.backups[one.path]) if one.path in self.backups else None,
                }
                for one in self.rewrites
            ],
            "left": [
                {"file": str(file), "test": name, "lines": list(lines)}
                for file, name, lines in self.left
            ],
        }


def update_tests(
    tested: Iterable[tuple[Path, Sequence[Outcome]]], *, sure: bool, as_json: bool
) -> Update:
    """Write what was seen into the tests that failed; those that are wrong stay as they are."""
    rewrites, update = Rewrites(), Update()
    for file, outcomes in tested:
        for outcome in outcomes:
            if outcome.verdict == "wrong":
                update.left.append((file, outcome.name, outcome.problems))
            elif outcome.verdict == "failed" and (left := _added(rewrites, file, outcome)):
                update.left.append((file, outcome.name, left))
    update.rewrites = rewrites.all()
    if not as_json:
        _show(update)
    if update.rewrites and (sure or (not as_json and _agreed(len(update.rewrites)))):
        update.backups = write(update.rewrites)
        update.written = True
    if not as_json:
        _tell(update, sure)
    return update


def _added(rewrites: Rewrites, file: Path, outcome: Outcome) -> tuple[str, ...]:
    assert outcome.seen is not None
    new = updated(outcome.seen)
    try:
        rewrites.add(file, outcome.seen.case, new)
    except ValueInvalid as exc:
        return (str(exc),)
    return tuple(unmet_after(outcome.seen, new))


def _show(update: Update) -> None:
    for one in update.rewrites:
        print_lines(one.diff)
    for file, name, lines in update.left:
        say(f"not updated: {file}: {name}")
        for line in lines:
            say(f"  {line}")


def _agreed(files: int) -> bool:
    """The word of a person at the terminal; nobody there is no."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    sys.stderr.write(f"Write this to {counted(files, 'file')}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell(update: Update, sure: bool) -> None:
    if not update.rewrites:
        say("there is nothing to update")
    elif not update.written:
        say("nothing was written" if sure else "nothing was written; --yes writes it")
    for path, backup in update.backups.items():
        say(f"{path} is updated; what it was is in {backup}")
