"""LangGraph: nodes that write to a shared state, with and without a saver.

The saver is used with `durability="sync"`: a step begins when the one before it
is stored, which is what the other durable engines here promise.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import itertools
import operator
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from bench import steps


class One(TypedDict):
    """The state of the chains that carry one number."""

    v: int


class Many(TypedDict):
    """The state of the fan-out: the branches add to one list."""

    items: list[int]
    done: Annotated[list[int], operator.add]
    total: int


class Passed(TypedDict):
    """The state of the chain that carries the big document."""

    rows: list[dict[str, Any]]
    n: int


async def _step(state: One) -> One:
    return {"v": await steps.step(state["v"])}


async def _nap(state: One) -> One:
    return {"v": await steps.nap(state["v"])}


async def _work(state: One) -> dict[str, Any]:
    return {"done": [await steps.work(state["v"])]}


async def _join(state: Many) -> dict[str, Any]:
    return {"total": sum(state["done"])}


async def _carry(state: Passed) -> dict[str, Any]:
    return steps.carry(state["rows"], state["n"])


def _line(kind: type, nodes: list[Any], saver: Any) -> Any:
    graph = StateGraph(kind)
    names = [f"s{i}" for i in range(len(nodes))]
    for name, node in zip(names, nodes, strict=True):
        graph.add_node(name, node)
    for before, after in itertools.pairwise([START, *names, END]):
        graph.add_edge(before, after)
    return graph.compile(checkpointer=saver)


def _fan(saver: Any) -> Any:
    graph = StateGraph(Many)
    graph.add_node("split", lambda state: {})
    graph.add_node("work", _work)
    graph.add_node("join", _join)
    graph.add_edge(START, "split")
    graph.add_conditional_edges(
        "split", lambda state: [Send("work", {"v": v}) for v in state["items"]], ["work"]
    )
    graph.add_edge("work", "join")
    graph.add_edge("join", END)
    return graph.compile(checkpointer=saver)


class Graphs:
    """The compiled graphs, each run a thread of its own where it is saved."""

    def __init__(self, saver: Any) -> None:
        self._saved = saver is not None
        self._threads = itertools.count()
        self._ten = _line(One, [_step] * steps.LENGTH, saver)
        self._fan = _fan(saver)
        self._nap = _line(One, [_nap], saver)
        self._carry = _line(Passed, [_carry] * steps.MAPPED, saver)

    async def _run(self, graph: Any, given: dict[str, Any]) -> Any:
        if not self._saved:
            return await graph.ainvoke(given)
        config = {"configurable": {"thread_id": str(next(self._threads))}}
        return await graph.ainvoke(given, config, durability="sync")

    async def ten(self, v: int) -> int:
        """See `Programs`."""
        return int((await self._run(self._ten, {"v": v}))["v"])

    async def fan_out(self, items: list[int]) -> int:
        """See `Programs`."""
        return int((await self._run(self._fan, {"items": items, "done": []}))["total"])

    async def nap(self, v: int) -> int:
        """See `Programs`."""
        return int((await self._run(self._nap, {"v": v}))["v"])

    async def carry(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """See `Programs`."""
        made: dict[str, Any] = await self._run(self._carry, {"rows": rows, "n": 0})
        return made


@asynccontextmanager
async def opened(variant: str, state: Path) -> AsyncIterator[Graphs]:
    """See `Module`."""
    if variant != "sqlite":
        yield Graphs(None)
        return
    async with AsyncSqliteSaver.from_conn_string(str(state / "langgraph.db")) as saver:
        await saver.setup()
        yield Graphs(saver)
