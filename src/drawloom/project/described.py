"""Saved catalogues: what a connector's tool `catalogue` told of its service, read again for a check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from drawloom.chains import Chain
from drawloom.dataflow.validation import validator_for
from drawloom.dataflow.values import read_json
from drawloom.errors import ValueInvalid
from drawloom.runtime import Catalogue
from drawloom.sdk import Tool
from drawloom.sdk.narrowing import is_written

_MOST_BYTES = 64 << 20


def catalogue_tool(kind: str, tools: Catalogue) -> Tool:
    """The tool that tells what a connection of that kind holds. Raises `ValueInvalid`."""
    try:
        return tools.find(f"{kind}.catalogue")
    except KeyError:
        told = f"{kind} has no tool that tells what a connection holds ({kind}.catalogue)"
        raise ValueInvalid(told) from None


def statements_of(chains: Iterable[Chain], kind: str, tools: Catalogue) -> list[str]:
    """The SQL that steps have written out for connections of that kind, each text once."""
    found: dict[str, None] = {}
    for chain in chains:
        for step in chain.steps.values():
            if _kind_of(step.use, tools) == kind and isinstance(step.with_, Mapping):
                sql = step.with_.get("sql")
                if isinstance(sql, str) and is_written(sql):
                    found[sql] = None
    return list(found)


def _kind_of(use: str, tools: Catalogue) -> str | None:
    try:
        return tools.find(use).connection
    except KeyError:
        return None  # a check says so


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
        tool = catalogue_tool(str(name), tools)
    except ValueInvalid:
        saved = "drawloom connections describe"
        raise ValueInvalid(f"--catalogue {path}: it is not what `{saved}` prints") from None
    validator_for(tool.output_schema).check(told, where=f"--catalogue {path}")
    return dict(told)
