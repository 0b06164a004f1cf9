"""Call one tool: a chain of one step, run in memory, so that every rule of a run holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from drawloom.chains import chain_of, compile_chain
from drawloom.cli.board import Board
from drawloom.cli.inputs import read_input
from drawloom.cli.progress import NoProgress, log_line
from drawloom.cli.terminal import json_text, print_json, print_lines, say
from drawloom.dataflow.conversion import converter_for
from drawloom.dataflow.validation import validator_for
from drawloom.drivers.embedded import Engine, Result
from drawloom.facts import Fact, Line
from drawloom.project import shapes

if TYPE_CHECKING:
    from drawloom.chains import Plan
    from drawloom.project import Project
    from drawloom.sdk import Tool

_SLOT, _STEP = "connection", "call"


def call_tool(
    project: Project,
    name: str,
    given: Sequence[str] | None,
    whole: str | None,
    bind: Sequence[str],
    as_json: bool,
) -> int:
    """Call the tool *name* and print its output; the exit code."""
    tool = project.catalogue.find(name)
    plan = compile_chain(chain_of(_document(tool)), project.catalogue.find)
    bound = project.bindings(plan, bind or _only(project, tool))
    arguments = converter_for(tool.input_schema)(read_input(given, whole, tool.input_schema))
    validator_for(tool.input_schema).check(arguments, where="the input")
    engine = project.engine("memory", extra=bound.extra)
    result = asyncio.run(_called(engine, plan, arguments, dict(bound.slots)))
    step = result.steps[_STEP]
    if as_json:
        print_json(
            {
                "tool": name,
                "status": step.status,
                "output": step.output,
                "failure": shapes.failure(step.failure),
                "seconds": step.seconds,
            }
        )
    elif step.failure is not None:
        say(f"{name} failed: {step.failure}")
    else:
        print_lines(json_text(step.output))
    return 0 if step.status == "succeeded" else 1


def _document(tool: Tool) -> dict[str, Any]:
    step: dict[str, Any] = {
        "use": tool.name,
        "with": "${input.arguments}",
        "retry": {"attempts": 1},
    }
    document: dict[str, Any] = {
        "chain": "call",
        "input": {"arguments": {"type": "object"}},
        "steps": {_STEP: step},
    }
    if tool.connection is not None:
        step["on"] = _SLOT
        document["connections"] = {_SLOT: tool.connection}
    return document


def _only(project: Project, tool: Tool) -> list[str]:
    """The one stored connection of the tool's kind, where there is just one."""
    fitting = [c.name for c in project.connections.values() if c.kind == tool.connection]
    return [f"{_SLOT}={fitting[0]}"] if len(fitting) == 1 else []


async def _called(
    engine: Engine, plan: Plan, arguments: dict[str, Any], bindings: dict[str, str]
) -> Result:
    board = Board("", plan.name, {_STEP: plan.steps[0].tool})
    progress = NoProgress(board)

    def sink(fact: Fact) -> None:
        if isinstance(fact, Line):
            progress.note(log_line(fact))

    async with engine:
        engine.watch(sink)
        return await engine.run(plan, {"arguments": arguments}, bindings=bindings)
