"""Apache Hamilton: a function per node, wired by the names of its parameters."""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from hamilton import async_driver

from bench import steps


def _node(name: str, reads: tuple[str, ...], kind: type, body: Callable[..., Any]) -> Any:
    """A node as Hamilton finds one: a function whose signature names what it reads."""

    async def node(**given: Any) -> Any:
        return await body(*(given[read] for read in reads))

    node.__name__ = node.__qualname__ = name
    kinds = dict.fromkeys(reads, kind)
    node.__annotations__ = {**kinds, "return": kind}
    parameters = [inspect.Parameter(r, inspect.Parameter.KEYWORD_ONLY) for r in reads]
    node.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(annotation=kind) for p in parameters], return_annotation=kind
    )
    return node


def _module(name: str, nodes: list[Any]) -> ModuleType:
    name = f"bench_graph_{name}"
    module = ModuleType(name)
    for node in nodes:
        node.__module__ = name
        setattr(module, node.__name__, node)
    sys.modules[name] = module  # it asks `inspect.getmodule` whose a function is
    return module


def _chain(name: str, length: int, kind: type, body: Callable[..., Any]) -> ModuleType:
    reads = ["start", *(f"s{i}" for i in range(1, length))]
    nodes = [_node(f"s{i + 1}", (read,), kind, body) for i, read in enumerate(reads)]
    return _module(name, nodes)


def _fan(width: int) -> ModuleType:
    """A node per item, since the async driver has no parallel map, and their join."""

    async def join(*parts: int) -> int:
        return sum(parts)

    nodes = [_node(f"w{i}", (f"v{i}",), int, steps.work) for i in range(width)]
    parts = tuple(f"w{i}" for i in range(width))
    return _module("fan", [*nodes, _node("total", parts, int, join)])


async def _carry(passed: dict[str, Any]) -> dict[str, Any]:
    return steps.carry(passed["rows"], passed["n"])


class Hamilton:
    """One driver per graph, built before anything is measured."""

    def __init__(self) -> None:
        self._drivers: dict[str, Any] = {}

    async def _execute(
        self, name: str, make: Callable[[], ModuleType], out: str, inputs: dict[str, Any]
    ) -> Any:
        driver = self._drivers.get(name)
        if driver is None:
            driver = await async_driver.Builder().with_modules(make()).build()
            self._drivers[name] = driver
        return (await driver.execute([out], inputs=inputs))[out]

    async def ten(self, v: int) -> int:
        """See `Programs`."""
        length = steps.LENGTH
        out = f"s{length}"
        made = await self._execute(
            "ten", lambda: _chain("ten", length, int, steps.step), out, {"start": v}
        )
        return int(made)

    async def fan_out(self, items: list[int]) -> int:
        """See `Programs`."""
        inputs = {f"v{i}": v for i, v in enumerate(items)}
        return int(await self._execute("fan", lambda: _fan(len(items)), "total", inputs))

    async def nap(self, v: int) -> int:
        """See `Programs`."""
        made = await self._execute(
            "nap", lambda: _chain("nap", 1, int, steps.nap), "s1", {"start": v}
        )
        return int(made)

    async def carry(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """See `Programs`."""
        start = {"rows": rows, "n": 0}
        made: dict[str, Any] = await self._execute(
            "carry", lambda: _chain("carry", steps.MAPPED, dict, _carry), "s5", {"start": start}
        )
        return made


@asynccontextmanager
async def opened(variant: str, state: Path) -> AsyncIterator[Hamilton]:
    """See `Module`."""
    yield Hamilton()
