"""The chains of a project, by their names: each file that says `chain: NAME`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import walk
from pathlib import Path
from typing import Final

from drawloom.chains import Chain, load
from drawloom.chains.findings import did_you_mean
from drawloom.chains.reading import Limits

MOST_FILES: Final = 10_000
_ENDINGS: Final = (".yaml", ".yml", ".json")
_TESTS: Final = (".test.yaml", ".test.yml", ".test.json")
_PASSED: Final = frozenset({"node_modules", "site", "__pycache__"})
_NAME: Final = re.compile(
    rb"""(?m)^(?:chain:[ \t]*|\s*\{\s*"?chain"?\s*:\s*|\s*"chain"\s*:\s*)["']?([a-z0-9][a-z0-9-]*)"""
)


class ChainFiles:
    """Finds chains in a folder. The files are looked through once, when a chain is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, list[Path]] | None = None

    def __call__(self, name: str) -> Chain:
        """The chain of a name. Raises `KeyError` saying why there is none, and `ChainInvalid`."""
        found = self.files().get(name, [])
        if len(found) > 1:
            where = ", ".join(str(path.relative_to(self._folder)) for path in found)
            raise KeyError(f"there are several chains {name!r}: {where}; rename one")
        if not found:
            advice = did_you_mean(name, self.files())
            more = f"; {advice}" if advice else f" in {self._folder}"
            raise KeyError(f"there is no chain {name!r}{more}")
        return load(found[0].read_bytes(), file=str(found[0]))

    def files(self) -> dict[str, list[Path]]:
        """The files of each chain, by its name."""
        if self._found is None:
            self._found = {}
            for path in files_in(self._folder):
                if not is_test_file(path) and (name := _name_in(path)) is not None:
                    self._found.setdefault(name, []).append(path)
        return self._found


def is_test_file(path: Path) -> bool:
    """Whether a file holds tests of a chain, by its name: `late-orders.test.yaml`."""
    return path.name.endswith(_TESTS)


def files_in(folder: Path) -> Iterator[Path]:
    """The YAML and JSON files of a folder and those below it, in order; hidden ones are passed."""
    count = 0
    for place, folders, names in walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _PASSED)
        for name in sorted(names):
            if name.endswith(_ENDINGS):
                count += 1
                if count > MOST_FILES:
                    return
                yield Path(place, name)


def _name_in(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            found = _NAME.search(file.read(Limits().bytes))
    except OSError:
        return None
    return found[1].decode() if found else None
