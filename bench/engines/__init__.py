"""The engines. Each module writes the same programs in its engine's own way."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Home = Literal["here", "peers", "node"]

# Workload names, in the order of the report.
WORKLOADS = ("W1", "W2", "W3", "W4", "W5", "W6", "W8")


@dataclass(frozen=True, slots=True)
class Engine:
    """One row of the table.

    *home* says whose interpreter runs it: this one, that of the peers, or node.
    *variant* is for the module. *lacks* names what the engine does not offer, or
    where another variant of it says the same.
    """

    name: str
    module: str
    title: str
    variant: str = ""
    home: Home = "here"
    loop: Literal["asyncio", "uvloop"] = "asyncio"
    lacks: frozenset[str] = frozenset()


class Programs(Protocol):
    """What an engine's module gives: one method per workload, each call one run."""

    async def ten(self, v: int) -> int:
        """Ten steps in a row, each adding one."""

    async def fan_out(self, items: list[int]) -> int:
        """One step per item that doubles it, then their sum."""

    async def nap(self, v: int) -> int:
        """One step that takes 50 ms and gives *v*."""

    async def carry(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Five steps that pass `rows` on and count in `n`."""


class Module(Protocol):
    """What a module in this folder exports."""

    def opened(self, variant: str, state: Path) -> AbstractAsyncContextManager[Programs]:
        """The engine, started, with its state in the folder *state*."""


def _lacks(*workloads: str) -> frozenset[str]:
    return frozenset(workloads)


_MEMORY = _lacks("W6", "W8")  # nothing is kept, so nothing comes back

ENGINES: tuple[Engine, ...] = (
    Engine("bare", "bare", "await, nothing else", lacks=_MEMORY),
    Engine("tasks", "tasks", "a task per step", lacks=_MEMORY),
    Engine("tasks+uvloop", "tasks", "the same on uvloop", loop="uvloop", lacks=_MEMORY),
    Engine("drawloom-memory", "drawloom", "Drawloom, in memory", "memory", lacks=_MEMORY),
    Engine(
        "drawloom-memory+uvloop",
        "drawloom",
        "the same on uvloop",
        "memory",
        loop="uvloop",
        lacks=_lacks("W4", "W5", "W6", "W8"),
    ),
    Engine("drawloom-full", "drawloom", "Drawloom, each step durable", "full"),
    Engine("drawloom-read", "drawloom", "Drawloom, durable, read tools", "read"),
    Engine(
        "drawloom-cli",
        "drawloom",
        "Drawloom, its commands",
        lacks=frozenset(WORKLOADS) - {"W5"},
    ),
    Engine("hamilton", "hamilton", "Hamilton, async driver", home="peers", lacks=_MEMORY),
    Engine("langgraph", "langgraph", "LangGraph, no saver", home="peers", lacks=_MEMORY),
    Engine(
        "langgraph-sqlite",
        "langgraph",
        "LangGraph, SQLite saver, sync",
        "sqlite",
        home="peers",
        lacks=_lacks("W5", "W6", "W8"),
    ),
    Engine("dbos", "dbos", "DBOS, SQLite", home="peers", lacks=_lacks("W8")),
    Engine("node-red", "nodered", "Node-RED, function nodes", home="node", lacks=_MEMORY),
)

# What `--quick` leaves out: ten seconds or more for one figure.
SLOW = frozenset({("W2", "dbos"), ("W3", "dbos"), ("W3", "langgraph-sqlite"), ("W4", "dbos")})


def chosen(names: Iterable[str]) -> tuple[Engine, ...]:
    """The engines of these names; `drawloom` or `langgraph` means all its variants."""
    wanted = tuple(names)
    for name in wanted:
        if not any(_is(engine, name) for engine in ENGINES):
            known = ", ".join(engine.name for engine in ENGINES)
            raise LookupError(f"there is no engine {name!r}; there are {known}")
    return tuple(e for e in ENGINES if any(_is(e, name) for name in wanted))


def _is(engine: Engine, name: str) -> bool:
    return name in (engine.name, engine.name.partition("-")[0], engine.module)
