"""The tools and connectors that a project's own Python files define."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from drawloom.errors import ValueInvalid
from drawloom.sdk import Connector, Tool


def own_tools(folder: Path, files: Iterable[str]) -> tuple[list[Tool], list[Connector]]:
    """Run *files* of *folder*, and give the tools and connectors that they define.

    This is trusted configuration code, named by `drawloom.toml` and never by a
    chain. Raises `ValueInvalid` naming file and line where one cannot be run.
    """
    tools: dict[str, Tool] = {}
    connectors: dict[str, Connector] = {}
    for file in files:
        module = _loaded(folder, file)
        for value in vars(module).values():
            if isinstance(value, Tool):
                tools[value.name] = _only(tools.get(value.name), value, file)
            elif isinstance(value, Connector):
                connectors[value.name] = value
    of_connectors = {name for connector in connectors.values() for name in connector.tools}
    own = [tool for name, tool in tools.items() if name not in of_connectors]
    return own, list(connectors.values())


def _only(known: Tool | None, new: Tool, file: str) -> Tool:
    if known is not None and known is not new:
        raise ValueInvalid(f"{file}: there are two tools named {new.name!r}; rename one")
    return new


def _loaded(folder: Path, file: str) -> ModuleType:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueInvalid(f"tools: {file} is outside the project's folder {folder}")
    if not path.is_file():
        raise ValueInvalid(f"tools: there is no file {path}")
    name = f"drawloom_project.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except Exception as exc:
        del sys.modules[name]
        raise ValueInvalid(f"{path}{_line(exc, path)}: {type(exc).__name__}: {exc}") from exc
    return module


def _line(exc: Exception, path: Path) -> str:
    if isinstance(exc, SyntaxError):
        return f":{exc.lineno}" if exc.lineno else ""
    frames = traceback.extract_tb(exc.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f":{lines[-1]}" if lines else ""
