"""Check what a step says of the machine."""

from __future__ import annotations

from typing import Any

from drawloom.chains.check_desk import CheckedTool, Desk
from drawloom.chains.document import Step
from drawloom.chains.resources import resources_of
from drawloom.policies import DEFAULT_RESOURCES
from drawloom.policies.resources import LEAST_FILES, LEAST_MEMORY

_TURN_ON = "use other tools, or turn code steps on where you trust who writes chains"


def check_resources(desk: Desk, step: Step, tool: CheckedTool) -> None:
    """What cannot be: limits that nobody keeps, or in which no call could begin."""
    if barred := getattr(tool, "barred", ""):
        where = ("steps", step.name, "use")
        desk.report("code-steps-off", f"{tool.name}: {barred}", where, suggestion=_TURN_ON)
        return
    if not step.resources:
        return
    path = ("steps", step.name, "resources")
    if getattr(tool, "isolation", "none") == "none":
        desk.report(
            "resources-without-isolation",
            f"{tool.name} runs in the engine's process, where `resources` limit nothing",
            path,
            key=True,
            suggestion="remove `resources`, or give the tool isolation='process'",
        )
    known = [name for name in DEFAULT_RESOURCES.__slots__ if name in step.resources]
    for name in known:  # of any other one another finding tells
        _check_limit(desk, (*path, name), step.resources[name])


def _check_limit(desk: Desk, path: tuple[str, ...], value: Any) -> None:
    name = path[-1]
    try:
        limit = getattr(resources_of({name: value}), name)
    except ValueError as exc:
        desk.report("out-of-range", str(exc), path, suggestion="give another size")
        return
    least = {"memory": LEAST_MEMORY, "files": LEAST_FILES}.get(name, 0)
    if limit < least:
        message = f"{name}: no call can begin with less than {least:,}"
        more = f"give {least // 1_000_000}MB or more" if name == "memory" else f"give {least}"
        desk.report("out-of-range", message, path, suggestion=more)
    elif limit == 0:
        message = f"{name}: a call cannot end with none"
        desk.report("out-of-range", message, path, suggestion="give more, or remove it")
