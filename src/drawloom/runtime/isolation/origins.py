"""Where a tool's function is written, so that another process can find it again.

The origin comes from the tool itself, never from a chain: a module that can be
imported, and the file that it was read from.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from drawloom.sdk import Connector, Tool


@dataclass(frozen=True, slots=True)
class Origin:
    """The module of a tool's function, and its file."""

    module: str
    file: str


def origin_of(tool: Tool) -> Origin:
    """Where *tool* is written. Raises `TypeError` where it is in no file."""
    module = sys.modules.get(tool.function.__module__)
    file = getattr(module, "__file__", None)
    if file is None:
        raise TypeError(
            f"{tool.name}: a tool with isolation='process' must be written in a Python file, "
            "where its process can find it"
        )
    return Origin(tool.function.__module__, str(Path(file).resolve()))


def found(origin: Origin, name: str) -> Tool:
    """The tool *name* of a module or file, read here. Raises `LookupError`."""
    for value in vars(_module(origin)).values():
        if isinstance(value, Tool) and value.name == name:
            return value
        if isinstance(value, Connector) and name in value.tools:
            return value.tools[name]
    raise LookupError(
        f"{origin.file} has no tool {name!r} at its top level; define it there, not in a function"
    )


def _module(origin: Origin) -> ModuleType:
    if _importable(origin):
        return import_module(origin.module)
    name = f"drawloom_project.{Path(origin.file).stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, origin.file)
    if spec is None or spec.loader is None:
        raise LookupError(f"{origin.file} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations are looked up there
    spec.loader.exec_module(module)
    return module


def _importable(origin: Origin) -> bool:
    """Whether the module's name leads to the same file here."""
    try:
        spec = importlib.util.find_spec(origin.module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None and (
        str(Path(spec.origin).resolve()) == origin.file
    )  # fmt: skip
