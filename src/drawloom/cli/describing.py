"""What `drawloom connections describe` asks a service for: one call of its tool `catalogue`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drawloom.cli.calling import call_tool
from drawloom.cli.terminal import json_text
from drawloom.errors import ValueInvalid
from drawloom.project import Project
from drawloom.project.connecting import stored_of
from drawloom.project.described import catalogue_tool, statements_of


def describe_connection(project: Project, name: str, files: Sequence[Path]) -> int:
    """Print what the connection *name* holds, and what the SQL of the chains gives; the exit code."""
    kind = stored_of(project, name).kind
    tool = catalogue_tool(kind, project.catalogue)
    given: dict[str, Any] = {}
    if files:
        if "statements" not in tool.input_schema["properties"]:
            raise ValueInvalid(f"{tool.name} takes no statements: name no chains")
        chains = map(project.load_chain, files)
        given["statements"] = statements_of(chains, kind, project.catalogue)
    return call_tool(project, tool.name, None, json_text(given), [f"connection={name}"], False)
