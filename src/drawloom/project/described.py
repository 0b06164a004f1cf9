"""Saved catalogues: what a connector's tool `catalogue` told of its service, read again for a check."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from drawloom.dataflow.validation import validator_for
from drawloom.dataflow.values import read_json
from drawloom.errors import ValueInvalid
from drawloom.runtime import Catalogue

_MOST_BYTES = 64 << 20


def read_described(written: Iterable[str], tools: Catalogue) -> dict[str, Any]:
    """What `FILE` and `SLOT=FILE` hold, by slot, or by connector where no slot is named.

    A file is the output of the tool, or all that `drawloom tools call --json` prints.
    Raises `ValueInvalid`.
    """
    found: dict[str, Any] = {}
    for one in written:
        slot, _, file = one.rpartition("=")
        told = _read(Path(file), tools)
        found[slot or told["connector"]] = told
    return found


def _read(path: Path, tools: Catalogue) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as exc:
        raise ValueInvalid(f"--catalogue {path}: {exc.strerror or exc}") from None
    if len(content) > _MOST_BYTES:
        raise ValueInvalid(f"--catalogue {path}: it has more than {_MOST_BYTES >> 20} MB")
    told = read_json(content)
    if isinstance(told, dict) and {"tool", "output"} <= told.keys():
        told = told["output"]
    name = told.get("connector") if isinstance(told, dict) else None
    try:
        tool = tools.find(f"{name}.catalogue")
    except KeyError:
        saved = "drawloom tools call postgresql.catalogue"
        raise ValueInvalid(f"--catalogue {path}: it is not what `{saved}` prints") from None
    validator_for(tool.output_schema).check(told, where=f"--catalogue {path}")
    return dict(told)
